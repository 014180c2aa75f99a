/* Notifications: push messages of the customer's that we are told of, so that reports
 * of them can be counted and say which article they are about. */
#include <stdlib.h>

#include "api/fields.h"
#include "api/resources.h"
#include "base/mem.h"

#define GUIDS_MAX      100
#define GUID_MAX       2048
#define LINK_MAX       2048
#define TITLE_MAX      1000
#define TEXT_MAX       5000
#define BODY_BYTES_MAX ((size_t)6 * (TITLE_MAX + TEXT_MAX + 3 * LINK_MAX) + 100)
/* They are in the payload of each delivery and click, which must fit an event. */
#define GUIDS_BYTES_MAX ((size_t)208 * 1024)

/* ---- the body ---- */

enum { TITLE, TEXT, URL, ICON, MEDIA, TEXTS };

static const struct {
    const char *name;
    size_t max_bytes;
} texts[TEXTS] = {
    [TITLE] = {"title", TITLE_MAX},   [TEXT] = {"text", TEXT_MAX},
    [URL] = {"url", LINK_MAX},        [ICON] = {"iconUrl", LINK_MAX},
    [MEDIA] = {"mediaUrl", LINK_MAX},
};

struct notification {
    struct notification_row row;
    char id[ID_MAX + 1]; /* "" = not given */
    char *text[TEXTS];   /* NULL likewise */
    struct buf guids, body;
};

static void
notification_free(void *own)
{
    struct notification *notification = own;
    for (size_t i = 0; i < TEXTS; i++)
        free(notification->text[i]);
    buf_fini(&notification->guids);
    buf_fini(&notification->body);
    free(notification);
}

static int
read_id(struct reader *rd, const struct json_token *value, void *out)
{
    struct notification *notification = out;
    return reader_id(rd, value, notification->id);
}

static int
read_guid(struct reader *rd, const struct json_token *value, void *out)
{
    struct json_out *json = out;
    struct slice guid;
    int rc = reader_text(rd, value, 0, GUID_MAX, &guid);
    if (rc == 0)
        json_strn(json, NULL, guid);
    return rc;
}

static int
read_guids(struct reader *rd, const struct json_token *value, void *out)
{
    struct notification *notification = out;
    struct buf *guids = &notification->guids;
    struct json_out json;

    if (value->type == JSON_NULL)
        return 0;
    json_out_init(&json, guids);
    json_array(&json, NULL);
    int rc = reader_array(rd, value, GUIDS_MAX, read_guid, &json);
    json_array_end(&json);
    if (rc == 0 && guids->failed == E_TOO_LARGE)
        return reader_fail(rd, "may have at most %zu bytes in all", GUIDS_BYTES_MAX);
    if (rc == 0 && guids->failed) {
        api_refuse(rd->request, guids->failed, NULL);
        rc = guids->failed;
    }
    return rc;
}

static int
read_text(struct reader *rd, const struct json_token *value, void *out, unsigned which)
{
    struct notification *notification = out;
    struct slice text;

    if (value->type == JSON_NULL)
        return 0;
    int rc = reader_text(rd, value, 0, texts[which].max_bytes, &text);
    if (rc == 0)
        notification->text[which] = xstrndup(text.p, text.n);
    return rc;
}

static int
read_title(struct reader *rd, const struct json_token *value, void *out)
{
    return read_text(rd, value, out, TITLE);
}

static int
read_body_text(struct reader *rd, const struct json_token *value, void *out)
{
    return read_text(rd, value, out, TEXT);
}

static int
read_url(struct reader *rd, const struct json_token *value, void *out)
{
    return read_text(rd, value, out, URL);
}

static int
read_icon(struct reader *rd, const struct json_token *value, void *out)
{
    return read_text(rd, value, out, ICON);
}

static int
read_media(struct reader *rd, const struct json_token *value, void *out)
{
    return read_text(rd, value, out, MEDIA);
}

static const struct field fields[] = {
    {"_id", read_id},         {"feedGuid", read_guids}, {"title", read_title},
    {"text", read_body_text}, {"url", read_url},        {"iconUrl", read_icon},
    {"mediaUrl", read_media},
};

/* Members without braces. */
static struct slice
write_body(struct notification *notification)
{
    struct buf *out = &notification->body;
    struct json_out json;

    json_out_init(&json, out);
    json_object(&json, NULL);
    for (unsigned i = 0; i < TEXTS; i++)
        if (notification->text[i])
            json_str(&json, texts[i].name, notification->text[i]);
    json_object_end(&json);
    return out->failed ? SLICE("") : (struct slice){out->p + 1, out->n - 2};
}

static struct notification *
notification_new(struct api_request *r)
{
    struct notification *notification = xcalloc(1, sizeof(*notification));
    buf_init(&notification->guids, GUIDS_BYTES_MAX);
    buf_init(&notification->body, BODY_BYTES_MAX);
    r->own = notification;
    r->own_free = notification_free;
    return notification;
}

/* NULL: answered. */
static struct notification *
read_notification(struct api_request *r)
{
    struct notification *notification = notification_new(r);
    struct reader rd;

    int rc = reader_init(&rd, r);
    if (rc == 0)
        rc = reader_object(&rd, &rd.doc.tokens[0], fields, ARRAY_LEN(fields),
                           notification);
    reader_fini(&rd);
    if (rc != 0)
        return NULL;
    notification->row.body = write_body(notification);
    notification->row.feed_guid = buf_slice(&notification->guids);
    if (notification->body.failed) {
        api_refuse(r, notification->body.failed, NULL);
        return NULL;
    }
    return notification;
}

/* ---- made or replaced ---- */

void
notification_write(struct json_out *json, const struct notification_row *row)
{
    json_strn(json, "_id", row->id);
    if (row->feed_guid.n)
        json_raw_out(json, "feedGuid", row->feed_guid);
    if (row->body.n)
        json_raw_out(json, NULL, row->body);
    json_time(json, "createdAt", row->created_ms);
    json_i64(json, "delivered", (int64_t)row->delivered);
    json_i64(json, "clicked", (int64_t)row->clicked);
}

static void
put_done(struct engine_notification *put)
{
    struct api_request *r = container_of(put, struct api_request, op.notification);

    if (put->result != 0) {
        api_refuse(r, put->result, "no such channel");
        return;
    }
    api_json_begin(r);
    notification_write(&r->json, put->row);
    api_json_end(r, put->known ? 200 : 201);
}

static void
put(struct api_request *r, struct notification *notification)
{
    notification->row.channel = r->channel->number;
    notification->row.id = slice_of(notification->id);
    r->op.notification =
        (struct engine_notification){.row = &notification->row, .done = put_done};
    httpd_hold(r->req);
    engine_put_notification(r->api->engine, &r->op.notification);
}

void
notifications_create(struct api_request *r)
{
    struct notification *notification = read_notification(r);

    if (!notification)
        return;
    if (!notification->id[0])
        id_make(notification->id, engine_rng(r->api->engine));
    put(r, notification);
}

void
notifications_put(struct api_request *r)
{
    if (!id_valid(r->id) || slice_is(r->id, ".") || slice_is(r->id, "..")) {
        api_problem(r, 400, "a notification's id is 1 to 64 of A-Z a-z 0-9 _ . -");
        return;
    }
    struct notification *notification = read_notification(r);
    if (!notification)
        return;
    if (notification->id[0] && !slice_is(r->id, notification->id)) {
        problem_answer(r->req, 400, (struct problem_place){-1, SLICE("/_id")},
                       "must be the id of the path");
        return;
    }
    memcpy(notification->id, r->id.p, r->id.n);
    notification->id[r->id.n] = '\0';
    put(r, notification);
}

/* ---- look ---- */

static void
list_each(struct engine_notifications *list, const struct notification_row *row)
{
    struct api_request *r = container_of(list, struct api_request, op.notifications);

    if (!api_row_begin(r))
        return;
    notification_write(&r->json, row);
    json_object_end(&r->json);
    r->last_event = row->number;
}

static void
list_done(struct engine_notifications *list)
{
    struct api_request *r = container_of(list, struct api_request, op.notifications);
    char cursor[CURSOR_TEXT];

    if (list->result != 0) {
        api_refuse(r, list->result, "no such channel");
        return;
    }
    uint64_t next = r->cut ? r->last_event : list->next;
    cursor_number_format(cursor, next);
    api_page_end(r, next ? cursor : NULL);
}

void
notifications_list(struct api_request *r)
{
    uint64_t before = UINT64_MAX;

    if (r->query.cursor[0] && !cursor_number_parse(r->query.cursor, &before)) {
        api_problem(r, 400, "cursor must be a nextCursor of this list");
        return;
    }
    r->op.notifications = (struct engine_notifications){
        .channel = r->channel->number,
        .before = before,
        .limit = r->query.limit,
        .each = list_each,
        .done = list_done,
    };
    api_page_begin(r);
    httpd_hold(r->req);
    engine_notifications(r->api->engine, &r->op.notifications);
}

static void
show_one(struct engine_notifications *list, const struct notification_row *row)
{
    struct api_request *r = container_of(list, struct api_request, op.notifications);
    api_json_begin(r);
    notification_write(&r->json, row);
}

static void
show_done(struct engine_notifications *list)
{
    struct api_request *r = container_of(list, struct api_request, op.notifications);
    if (list->result != 0)
        api_refuse(r, list->result, "no such notification");
    else
        api_json_end(r, 200);
}

void
notifications_show(struct api_request *r)
{
    r->op.notifications = (struct engine_notifications){
        .channel = r->channel->number,
        .before = UINT64_MAX,
        .id = r->id,
        .limit = 1,
        .each = show_one,
        .done = show_done,
    };
    httpd_hold(r->req);
    engine_notifications(r->api->engine, &r->op.notifications);
}
