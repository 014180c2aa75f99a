/* One subscription: made or replaced, read, changed in parts, opted out. */
#include <stdlib.h>

#include "api/fields.h"
#include "api/resources.h"
#include "api/router.h"
#include "api/subscription_body.h"
#include "base/mem.h"

/* ---- changes ---- */

struct work {
    struct change change;
    struct buf text;
    struct slice cleared[SUBSCRIPTION_ATTRIBUTES_MAX];
    char id[ID_MADE + 1];
    bool made;
};

static void
work_free(void *own)
{
    struct work *work = own;
    buf_fini(&work->text);
    free(work);
}

static struct work *
work_new(struct api_request *r)
{
    struct work *work = xcalloc(1, sizeof(*work));
    buf_init(&work->text, SUBSCRIPTION_ROOM(API_CONFIG_BODY_MAX));
    r->own = work;
    r->own_free = work_free;
    return work;
}

static void
write_part(struct json_out *json, const struct subscription *subscription,
           unsigned part)
{
    static const enum member members[] = {
        [PART_TOPICS] = MEMBER_TOPICS,
        [PART_TAGS] = MEMBER_TAGS,
        [PART_ATTRIBUTES] = MEMBER_ATTRIBUTES,
    };
    struct slice value = subscription->member[members[part]];
    struct slice version = subscription->member[MEMBER_TOPICS_VERSION];

    if (!value.p)
        value = part == PART_ATTRIBUTES ? SLICE("{}") : SLICE("[]");
    json_raw_out(json, member_name(members[part]), value);
    if (part == PART_TOPICS && version.p)
        json_raw_out(json, "topicsVersion", version);
}

static void
applied(struct engine_touch *touch, size_t i, const struct subscription *after,
        const struct channel *channel)
{
    struct api_request *r = container_of(touch, struct api_request, op.touch);
    struct work *work = r->own;

    (void)i;
    work->made = after->number == 0;
    api_json_begin(r);
    if (work->change.kind == CHANGE_REPLACE)
        subscription_show(&r->json, after, channel->id, false);
    else
        write_part(&r->json, after, r->route->what);
}

static void
touch_done(struct engine_touch *touch)
{
    struct api_request *r = container_of(touch, struct api_request, op.touch);
    const struct work *work = r->own;

    if (touch->result != 0) {
        api_refuse(r, touch->result, touch->why);
        return;
    }
    events_count(touch->events_by_type);
    if (work->change.kind == CHANGE_OPT_OUT)
        api_answer(r->req, 204, NULL, NULL, 0);
    else
        api_json_end(r, work->change.kind == CHANGE_REPLACE && work->made ? 201 : 200);
}

/* The last thing that is done with r. */
static void
touch(struct api_request *r, struct work *work)
{
    r->op.touch = (struct engine_touch){
        .channel = r->channel,
        .changes = &work->change,
        .n = 1,
        .applied = applied,
        .done = touch_done,
    };
    httpd_hold(r->req);
    engine_touch(r->api->engine, &r->op.touch);
}

static int
check_id(struct api_request *r)
{
    if (id_valid(r->id))
        return 0;
    api_problem(r, 404, "no such subscription");
    return E_NOT_FOUND;
}

/* ---- made or replaced ---- */

static int
refuse_body(struct api_request *r, int rc, const struct subscription_error *error)
{
    if (rc == E_NO_MEMORY)
        api_refuse(r, rc, NULL);
    else
        problem_answer(r->req, 400,
                       (struct problem_place){-1, slice_of(error->pointer)},
                       error->reason);
    return rc;
}

static int
read_whole(struct api_request *r, struct work *work)
{
    struct subscription_error error;
    struct reader rd;

    int rc = buf_reserve(&work->text, SUBSCRIPTION_ROOM(httpd_body(r->req).n));
    if (rc != 0) {
        api_refuse(r, E_NO_MEMORY, NULL);
        return rc;
    }
    rc = reader_init(&rd, r);
    if (rc == 0) {
        rc = subscription_body_read(&work->change, &work->text, &rd.doc,
                                    &rd.doc.tokens[0], r->channel->id, &error);
        if (rc != 0)
            refuse_body(r, rc, &error);
    }
    reader_fini(&rd);
    return rc;
}

void
subscriptions_create(struct api_request *r)
{
    struct work *work = work_new(r);

    if (read_whole(r, work) != 0)
        return;
    if (!work->change.id.n) {
        id_make(work->id, engine_rng(r->api->engine));
        work->change.id = slice_of(work->id);
    }
    touch(r, work);
}

void
subscriptions_put(struct api_request *r)
{
    struct work *work = work_new(r);
    const struct problem_place place = {-1, SLICE("/_id")};

    if (!id_valid(r->id) || slice_is(r->id, ".") || slice_is(r->id, "..")) {
        api_problem(r, 400, "a subscription's id is 1 to 64 of A-Z a-z 0-9 _ . -");
        return;
    }
    if (read_whole(r, work) != 0)
        return;
    if (work->change.id.n && !slice_eq(work->change.id, r->id)) {
        problem_answer(r->req, 400, place, "must be the id of the path");
        return;
    }
    work->change.id = r->id;
    touch(r, work);
}

void
subscriptions_delete(struct api_request *r)
{
    struct work *work = work_new(r);

    if (check_id(r) != 0)
        return;
    work->change = (struct change){.kind = CHANGE_OPT_OUT, .id = r->id};
    touch(r, work);
}

/* ---- in parts ---- */

static int
read_list(struct reader *rd, const struct json_token *value, void *out)
{
    struct work *work = out;
    const char *reason = NULL;
    enum member member =
        rd->request->route->what == PART_TOPICS ? MEMBER_TOPICS : MEMBER_TAGS;

    enum member_given given =
        member_canonical(member, &rd->doc, value, &work->text, &reason);
    if (given == MEMBER_NO_MEMORY) {
        api_refuse(rd->request, E_NO_MEMORY, NULL);
        return E_NO_MEMORY;
    }
    if (given != MEMBER_GIVEN)
        return reader_fail(rd, "%s",
                           given == MEMBER_LEFT ? "must be an array of ids" : reason);
    work->change.given[member] = buf_slice(&work->text);
    return 0;
}

/* null clears an attribute, so these are not read as a member's value. */
static int
read_attributes(struct reader *rd, struct work *work)
{
    const struct json_token *root = &rd->doc.tokens[0];
    const struct json_token *key = json_first(&rd->doc, root);
    const char *reason = NULL;

    if (root->count > SUBSCRIPTION_ATTRIBUTES_MAX)
        return reader_fail(rd, "may have at most %d attributes",
                           SUBSCRIPTION_ATTRIBUTES_MAX);
    for (; key; key = json_after(&rd->doc, root, json_after(&rd->doc, root, key))) {
        const struct json_token *value = json_after(&rd->doc, root, key);
        if (value->type == JSON_NULL) /* a slice of the body, which stays */
            work->cleared[work->change.n_cleared++] = json_string_raw(&rd->doc, key);
    }
    work->change.cleared = work->cleared;
    enum member_given given =
        member_canonical(MEMBER_ATTRIBUTES, &rd->doc, root, &work->text, &reason);
    if (given == MEMBER_NO_MEMORY) {
        api_refuse(rd->request, E_NO_MEMORY, NULL);
        return E_NO_MEMORY;
    }
    if (given != MEMBER_GIVEN)
        return reader_fail(rd, "%s", reason);
    work->change.given[MEMBER_ATTRIBUTES] = buf_slice(&work->text);
    return 0;
}

void
subscriptions_change_part(struct api_request *r)
{
    static const struct field topics[] = {{"topics", read_list}};
    static const struct field tags[] = {{"tags", read_list}};
    struct work *work = work_new(r);
    struct reader rd;

    if (check_id(r) != 0)
        return;
    work->change = (struct change){.kind = CHANGE_EDIT, .id = r->id};
    int rc = reader_init(&rd, r);
    if (rc == 0 && r->route->what == PART_ATTRIBUTES)
        rc = read_attributes(&rd, work);
    else if (rc == 0)
        rc = reader_object(&rd, &rd.doc.tokens[0],
                           r->route->what == PART_TOPICS ? topics : tags, 1, work);
    if (rc == 0 && r->route->what != PART_ATTRIBUTES && !work->text.n)
        rc = reader_missing(&rd, r->route->what == PART_TOPICS ? "topics" : "tags");
    reader_fini(&rd);
    if (rc == 0)
        touch(r, work);
}

/* ---- read ---- */

static bool
show_one(struct engine_subscriptions *list, const struct subscription *subscription)
{
    struct api_request *r = container_of(list, struct api_request, op.subscriptions);

    api_json_begin(r);
    subscription_show(&r->json, subscription, r->channel->id, false);
    return false;
}

static bool
show_part(struct engine_subscriptions *list, const struct subscription *subscription)
{
    struct api_request *r = container_of(list, struct api_request, op.subscriptions);

    api_json_begin(r);
    write_part(&r->json, subscription, r->route->what);
    return false;
}

static void
show_done(struct engine_subscriptions *list)
{
    struct api_request *r = container_of(list, struct api_request, op.subscriptions);

    if (list->result == E_NOT_FOUND)
        api_refuse(r, list->result, "no such subscription");
    else if (list->result != 0)
        api_refuse(r, list->result, NULL);
    else if (!r->out.p) /* it is there, and cannot be read */
        api_problem(r, 500, "this subscription cannot be read: see the server's log");
    else
        api_json_end(r, 200);
}

static void
look(struct api_request *r, bool (*each)(struct engine_subscriptions *list,
                                         const struct subscription *subscription))
{
    if (check_id(r) != 0)
        return;
    r->op.subscriptions = (struct engine_subscriptions){
        .channel = r->channel->number,
        .id = r->id,
        .max_rows = 1,
        .each = each,
        .done = show_done,
    };
    httpd_hold(r->req);
    engine_subscriptions(r->api->engine, &r->op.subscriptions);
}

void
subscriptions_show(struct api_request *r)
{
    look(r, show_one);
}

void
subscriptions_part(struct api_request *r)
{
    look(r, show_part);
}
