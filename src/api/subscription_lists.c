/* Many subscriptions: lists with filters, the export, and the platform's own list. Each
 * is read in small pieces, between which others have the store. */
#include <stdio.h>
#include <stdlib.h>

#include "api/resources.h"
#include "api/router.h"
#include "base/mem.h"

#define PIECE_ROWS    200   /* looked at in one go */
#define EXAMINE_MOST  10000 /* for one page of a list */
#define EXPORT_ROWS   5000
#define CUSTOMER_ROWS 1000
#define FIND_ROWS     100

struct page {
    struct api_request *r;
    size_t limit;   /* rows in the answer */
    size_t examine; /* rows looked at, at most */
    size_t n, examined;
    uint64_t last; /* the number of the last one looked at */
    bool full;     /* no more goes into the answer */
    bool secrets;
    void (*write)(struct page *page, const struct subscription *subscription);
    void (*end)(struct page *page, bool more);
    const char *after_id;
    struct buf wanted; /* canonical text that a filter compares with */
    struct buf value;  /* of the attribute that is looked for, as a string */
    uint64_t fields;   /* customer's: bit per member, and those below */
};

static void
page_free(void *own)
{
    struct page *page = own;
    buf_fini(&page->wanted);
    buf_fini(&page->value);
    free(page);
}

static struct page *
page_new(struct api_request *r)
{
    struct page *page = xcalloc(1, sizeof(*page));
    page->r = r;
    page->examine = SIZE_MAX;
    buf_init(&page->wanted, 8192);
    buf_init(&page->value, 8192);
    r->own = page;
    r->own_free = page_free;
    return page;
}

/* ---- filters ---- */

static struct slice
canonical(struct page *page, const char *text)
{
    buf_reset(&page->wanted);
    buf_addc(&page->wanted, '"');
    json_escape(&page->wanted, slice_of(text));
    buf_addc(&page->wanted, '"');
    return buf_slice(&page->wanted);
}

static bool
is_text(struct page *page, struct slice value, const char *wanted)
{
    return !wanted || (value.p && slice_eq(value, canonical(page, wanted)));
}

static bool
has_element(struct page *page, struct slice list, const char *wanted)
{
    return !wanted || (list.p && list_has(list, canonical(page, wanted)));
}

static bool
matches(struct page *page, const struct subscription *s)
{
    const struct query *query = &page->r->query;

    if ((query->given & QUERY_INACTIVE) && s->inactive != query->inactive)
        return false;
    return s->synced_ms >= query->synced_since_ms &&
           is_text(page, s->member[MEMBER_PLATFORM_NAME], query->platform) &&
           is_text(page, s->member[MEMBER_LANGUAGE], query->language) &&
           is_text(page, s->member[MEMBER_COUNTRY], query->country) &&
           has_element(page, s->member[MEMBER_TOPICS], query->topic) &&
           has_element(page, s->member[MEMBER_TAGS], query->tag);
}

/* ---- pieces ---- */

static void read_piece(struct page *page, uint64_t after);

static bool
each(struct engine_subscriptions *list, const struct subscription *subscription)
{
    struct api_request *r = container_of(list, struct api_request, op.subscriptions);
    struct page *page = r->own;

    page->examined++;
    page->last = subscription->number;
    if (matches(page, subscription)) {
        page->write(page, subscription);
        page->n++;
    }
    page->full = page->n == page->limit || r->out.n >= API_PAGE_BYTES;
    return !page->full;
}

static void
piece_done(struct engine_subscriptions *list)
{
    struct api_request *r = container_of(list, struct api_request, op.subscriptions);
    struct page *page = r->own;

    if (list->result != 0)
        api_refuse(r, list->result,
                   page->after_id ? "startId is no subscription of this channel"
                                  : NULL);
    else if (list->next && !page->full && page->examined < page->examine)
        read_piece(page, list->next);
    else
        page->end(page, list->next != 0);
}

static void
read_piece(struct page *page, uint64_t after)
{
    struct api_request *r = page->r;

    r->op.subscriptions = (struct engine_subscriptions){
        .channel = r->channel->number,
        .after = after,
        .after_id = after ? (struct slice){NULL, 0} : slice_of(page->after_id),
        .name = slice_of(r->query.attribute),
        .max_rows = PIECE_ROWS,
        .each = each,
        .done = piece_done,
    };
    if (r->query.attribute) { /* a string, or a number or boolean with this text */
        r->op.subscriptions.values[0] = buf_slice(&page->value);
        r->op.subscriptions.values[1] = slice_of(r->query.value);
    }
    engine_subscriptions(r->api->engine, &r->op.subscriptions);
}

static void
start(struct page *page, uint64_t after)
{
    if (page->r->query.attribute) {
        buf_addc(&page->value, '"');
        json_escape(&page->value, slice_of(page->r->query.value));
        buf_addc(&page->value, '"');
    }
    httpd_hold(page->r->req);
    read_piece(page, after);
}

static int
read_cursor(struct api_request *r, uint64_t *after)
{
    *after = 0;
    if (!r->query.cursor[0] || cursor_number_parse(r->query.cursor, after))
        return 0;
    api_problem(r, 400, "cursor must be a nextCursor of this list");
    return E_INVALID;
}

/* ---- the list ---- */

static void
write_row(struct page *page, const struct subscription *subscription)
{
    struct api_request *r = page->r;
    json_object(&r->json, NULL);
    subscription_show(&r->json, subscription, r->channel->id, page->secrets);
    json_object_end(&r->json);
}

static void
end_list(struct page *page, bool more)
{
    char cursor[CURSOR_TEXT];
    cursor_number_format(cursor, page->last);
    api_page_end(page->r, more ? cursor : NULL);
}

void
subscriptions_list(struct api_request *r)
{
    struct page *page = page_new(r);
    uint64_t after;

    if (read_cursor(r, &after) != 0)
        return;
    page->limit = r->query.limit;
    page->examine = EXAMINE_MOST;
    page->write = write_row;
    page->end = end_list;
    api_page_begin(r);
    start(page, after);
}

/* ---- the export ---- */

static void
write_line(struct page *page, const struct subscription *subscription)
{
    struct api_request *r = page->r;
    json_out_init(&r->json, &r->out);
    write_row(page, subscription);
    buf_addc(&r->out, '\n');
}

static void
end_export(struct page *page, bool more)
{
    struct api_request *r = page->r;
    char cursor[CURSOR_TEXT];

    if (r->out.failed) {
        api_refuse(r, E_NO_MEMORY, NULL);
        return;
    }
    cursor_number_format(cursor, page->last);
    if (more)
        httpd_answer_header(r->req, "Next-Cursor", cursor);
    buf_reserve(&r->out, 1); /* also an empty one is an answer */
    api_answer_buf(r, 200, "application/x-ndjson", &r->out);
}

void
subscriptions_export(struct api_request *r)
{
    struct page *page = page_new(r);
    uint64_t after;

    if (read_cursor(r, &after) != 0)
        return;
    page->limit = EXPORT_ROWS;
    page->secrets = true;
    page->write = write_line;
    page->end = end_export;
    buf_init(&r->out, API_ANSWER_MAX);
    start(page, after);
}

/* ---- as the platform lists them ---- */

#define FIELD(member)  (UINT64_C(1) << (member))
#define FIELD_CHANNEL  FIELD(MEMBERS)
#define FIELD_INACTIVE FIELD(MEMBERS + 1)
#define FIELD_CREATED  FIELD(MEMBERS + 2)
#define FIELD_SYNCED   FIELD(MEMBERS + 3)
#define FIELD_ALL      (FIELD(MEMBERS + 4) - 1)
_Static_assert(MEMBERS + 4 < 64, "a bit for each field");

static void
read_field(void *ctx, const char *name, const char *value)
{
    struct page *page = ctx;
    enum member member;

    if ((strcmp(name, "fields") != 0 && strcmp(name, "fields[]") != 0) || !value)
        return;
    if (member_find(slice_of(value), &member) && !member_is_secret(member))
        page->fields |= FIELD(member);
    else if (strcmp(value, "channel") == 0)
        page->fields |= FIELD_CHANNEL;
    else if (strcmp(value, "inactive") == 0)
        page->fields |= FIELD_INACTIVE;
    else if (strcmp(value, "createdAt") == 0)
        page->fields |= FIELD_CREATED;
    else if (strcmp(value, "syncedAt") == 0)
        page->fields |= FIELD_SYNCED;
}

static void
write_fields(struct page *page, const struct subscription *subscription)
{
    struct json_out *json = &page->r->json;

    json_object(json, NULL);
    json_str(json, "_id", subscription->id);
    if (page->fields & FIELD_CHANNEL)
        json_str(json, "channel", page->r->channel->id);
    if (page->fields & FIELD_INACTIVE)
        json_bool(json, "inactive", subscription->inactive);
    if (page->fields & FIELD_CREATED)
        json_time(json, "createdAt", subscription->created_ms);
    if (page->fields & FIELD_SYNCED)
        json_time(json, "syncedAt", subscription->synced_ms);
    for (unsigned i = 0; i < MEMBER_FIRST_SECRET; i++)
        if ((page->fields & FIELD(i)) && subscription->member[i].p)
            json_raw_out(json, member_name(i), subscription->member[i]);
    json_object_end(json);
}

static void
end_customer(struct page *page, bool more)
{
    (void)more; /* whoever asks goes on behind the last id until nothing comes */
    json_array_end(&page->r->json);
    api_json_end(page->r, 200);
}

static void
start_customer(struct page *page, size_t limit)
{
    page->limit = limit;
    page->write = write_fields;
    page->end = end_customer;
    api_json_begin(page->r);
    json_array(&page->r->json, "subscriptions");
    start(page, 0);
}

void
customer_subscriptions(struct api_request *r)
{
    struct page *page = page_new(r);
    const char *start_id = httpd_query(r->req, "startId");
    int64_t since_ms, limit;

    if (!customer_number(r, "updatedSince", 0, &since_ms) ||
        !customer_number(r, "limit", CUSTOMER_ROWS, &limit))
        return;
    if (start_id && *start_id) {
        if (!id_valid(slice_of(start_id))) {
            api_problem(r, 400, "startId must be the _id of a subscription");
            return;
        }
        page->after_id = start_id;
    }
    r->query.synced_since_ms = since_ms;
    httpd_query_each(r->req, read_field, page);
    start_customer(page,
                   limit >= 1 && limit < CUSTOMER_ROWS ? (size_t)limit : CUSTOMER_ROWS);
}

void
customer_find_subscription(struct api_request *r)
{
    struct page *page = page_new(r);
    const char *channel = httpd_query(r->req, "channelId");

    r->query.attribute = httpd_query(r->req, "attributeId");
    r->query.value = httpd_query(r->req, "attribute_value");
    if (!channel || !r->query.attribute || !r->query.value) {
        api_problem(r, 400, "channelId, attributeId and attribute_value are needed");
        return;
    }
    r->channel = engine_channel(r->api->engine, slice_of(channel));
    if (!r->channel || (r->key.channel && r->key.channel != r->channel->number)) {
        api_problem(r, 404, "channel not found");
        return;
    }
    page->fields = FIELD_ALL;
    start_customer(page, FIND_ROWS);
}
