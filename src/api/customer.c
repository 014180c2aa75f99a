/* The customer's routes as the push platform has them: programs that were written for
 * it find here what they look for. */
#include <stdlib.h>

#include "api/resources.h"
#include "base/json.h"
#include "base/mem.h"

/* ---- the query, which may say what it likes otherwise ---- */

#define NUMBER_DIGITS 15

bool
customer_number(struct api_request *r, const char *name, int64_t otherwise,
                int64_t *number)
{
    const char *text = httpd_query(r->req, name);
    int64_t sum = 0;

    *number = otherwise;
    if (!text || !*text)
        return true;
    size_t digits = strspn(text, "0123456789");
    if (text[digits] != '\0' || digits > NUMBER_DIGITS) {
        api_problem(r, 400, "%s must be a number of at most %d digits", name,
                    NUMBER_DIGITS);
        return false;
    }
    for (; *text; text++)
        sum = sum * 10 + (*text - '0');
    *number = sum;
    return true;
}

/* ---- channels and their lists ---- */

static void
write_channel(struct json_out *json, const struct channel *channel)
{
    json_object(json, NULL);
    json_str(json, "_id", channel->id);
    json_str(json, "name", channel->name);
    json_time(json, "createdAt", channel->created_ms);
    json_time(json, "updatedAt", channel->updated_ms);
    json_object_end(json);
}

void
customer_channels(struct api_request *r)
{
    struct channel *page[QUERY_LIMIT_MAX];
    uint64_t after = 0;
    size_t n;

    api_json_begin(r);
    json_array(&r->json, "channels");
    while (r->out.n < API_PAGE_BYTES &&
           (n = channels_seen(r, after, page, ARRAY_LEN(page))) > 0) {
        after = page[n - 1]->number;
        for (size_t i = 0; i < n; i++) {
            write_channel(&r->json, page[i]);
            channel_unref(page[i]);
        }
    }
    json_array_end(&r->json);
    api_json_end(r, 200);
}

void
customer_topics(struct api_request *r)
{
    api_json_begin(r);
    json_raw_out(&r->json, "topics", slice_of(r->channel->settings.topics));
    api_json_end(r, 200);
}

static void
write_part(struct json_out *json, const struct json_doc *doc, int64_t skip,
           int64_t limit)
{
    const struct json_token *all = &doc->tokens[0];
    const struct json_token *element = json_first(doc, all);

    for (int64_t i = 0; element; i++) {
        if (i >= skip && i - skip < limit)
            json_raw_out(json, NULL, json_raw(doc, element));
        element = json_after(doc, all, element);
    }
}

void
customer_tags(struct api_request *r)
{
    struct slice tags = slice_of(r->channel->settings.tags);
    struct json_error error;
    struct json_doc doc;
    int64_t skip, limit;

    if (!customer_number(r, "skip", 0, &skip) ||
        !customer_number(r, "limit", CHANNEL_LIST_MAX, &limit))
        return;
    json_init(&doc);
    doc.max_depth = JSON_DEPTH_WRAPPED;
    int rc = json_parse(&doc, tags.p, tags.n, &error);
    if (rc == 0) {
        api_json_begin(r);
        json_array(&r->json, "tags");
        write_part(&r->json, &doc, skip, limit);
        json_array_end(&r->json);
    }
    json_fini(&doc);
    if (rc == 0)
        api_json_end(r, 200);
    else
        api_refuse(r, rc, NULL);
}

/* ---- notifications ---- */

static void
write_notification(struct api_request *r, const char *name,
                   const struct notification_row *row)
{
    json_object(&r->json, name);
    notification_write(&r->json, row);
    json_str(&r->json, "channel", r->channel->id);
    json_str(&r->json, "status", "sent");
    json_object_end(&r->json);
}

/* Notifications are ordered by when they were stored, which is not to the moment when
 * they were made. */
#define DISORDER_S 60

struct search {
    int64_t skip, left; /* of those that fit */
    int64_t start_s, end_s;
    bool past; /* what follows was made before */
};

static void
search_each(struct engine_notifications *list, const struct notification_row *row)
{
    struct api_request *r = container_of(list, struct api_request, op.notifications);
    struct search *search = r->own;
    int64_t at_s = row->created_ms / 1000;

    search->past = search->past || at_s + DISORDER_S < search->start_s;
    if (at_s < search->start_s || at_s > search->end_s)
        return;
    if (search->skip > 0) {
        search->skip--;
        return;
    }
    if (search->left == 0 || r->out.n >= API_PAGE_BYTES)
        return;
    search->left--;
    write_notification(r, NULL, row);
}

static void
search_done(struct engine_notifications *list)
{
    struct api_request *r = container_of(list, struct api_request, op.notifications);
    const struct search *search = r->own;

    if (list->result != 0) {
        api_refuse(r, list->result, "channel not found");
        return;
    }
    bool enough = search->left == 0 || search->past || r->out.n >= API_PAGE_BYTES;
    if (list->next && !enough) {
        list->before = list->next;
        engine_notifications(r->api->engine, list);
        return;
    }
    json_array_end(&r->json);
    api_json_end(r, 200);
}

void
customer_notifications(struct api_request *r)
{
    struct search *search = xcalloc(1, sizeof(*search));
    const char *status = httpd_query(r->req, "status");

    r->own = search;
    r->own_free = free;
    if (!customer_number(r, "limit", QUERY_LIMIT_DEFAULT, &search->left) ||
        !customer_number(r, "offset", 0, &search->skip) ||
        !customer_number(r, "startDate", 0, &search->start_s) ||
        !customer_number(r, "endDate", INT64_MAX, &search->end_s))
        return;
    api_json_begin(r);
    json_array(&r->json, "notifications");
    /* There are no others. */
    if ((status && *status && strcmp(status, "sent") != 0) || search->left == 0) {
        json_array_end(&r->json);
        api_json_end(r, 200);
        return;
    }
    r->op.notifications = (struct engine_notifications){
        .channel = r->channel->number,
        .before = UINT64_MAX,
        .limit = QUERY_LIMIT_MAX,
        .each = search_each,
        .done = search_done,
    };
    httpd_hold(r->req);
    engine_notifications(r->api->engine, &r->op.notifications);
}

static void
one_each(struct engine_notifications *list, const struct notification_row *row)
{
    struct api_request *r = container_of(list, struct api_request, op.notifications);
    api_json_begin(r);
    write_notification(r, "notification", row);
}

static void
statistics_each(struct engine_notifications *list, const struct notification_row *row)
{
    struct api_request *r = container_of(list, struct api_request, op.notifications);
    api_json_begin(r);
    json_object(&r->json, "statistics");
    json_i64(&r->json, "delivered", (int64_t)row->delivered);
    json_i64(&r->json, "clicked", (int64_t)row->clicked);
    json_object_end(&r->json);
}

static void
one_done(struct engine_notifications *list)
{
    struct api_request *r = container_of(list, struct api_request, op.notifications);
    if (list->result != 0)
        api_refuse(r, list->result, "notification not found");
    else
        api_json_end(r, 200);
}

static void
look_at_one(struct api_request *r, void (*each)(struct engine_notifications *list,
                                                const struct notification_row *row))
{
    r->op.notifications = (struct engine_notifications){
        .channel = r->channel->number,
        .before = UINT64_MAX,
        .id = r->id,
        .limit = 1,
        .each = each,
        .done = one_done,
    };
    httpd_hold(r->req);
    engine_notifications(r->api->engine, &r->op.notifications);
}

void
customer_notification(struct api_request *r)
{
    look_at_one(r, one_each);
}

void
customer_statistics(struct api_request *r)
{
    look_at_one(r, statistics_each);
}

/* ---- the rest ---- */

static void
count_done(struct engine_subscription_count *count)
{
    struct api_request *r =
        container_of(count, struct api_request, op.subscription_count);
    if (count->result != 0) {
        api_refuse(r, count->result, "channel not found");
        return;
    }
    api_json_begin(r);
    json_i64(&r->json, "subscriptions", (int64_t)count->active);
    json_i64(&r->json, "inactiveSubscriptions", (int64_t)count->inactive);
    api_json_end(r, 200);
}

void
customer_subscription_count(struct api_request *r)
{
    r->op.subscription_count = (struct engine_subscription_count){
        .channel = r->channel->number,
        .done = count_done,
    };
    httpd_hold(r->req);
    engine_subscription_count(r->api->engine, &r->op.subscription_count);
}

void
customer_send(struct api_request *r)
{
    api_problem(r, 501,
                "Pushwire tells of pushes and does not send them: register a "
                "notification with POST /v1/channels/{c}/notifications");
}
