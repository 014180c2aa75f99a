/* A channel's topics, tags and attributes, one by one. */
#include <stdlib.h>

#include "api/fields.h"
#include "api/resources.h"
#include "api/router.h"
#include "base/json_text.h"
#include "base/mem.h"

/* ---- the lists ---- */

static const struct {
    const char *id;
    const char *noun;
    bool id_needed; /* people choose it: none is made */
    bool free;      /* its elements may have further members, whatever they are */
} lists[] = {
    [LIST_TOPICS] = {"_id", "topic", false, true},
    [LIST_TAGS] = {"_id", "tag", false, true},
    [LIST_ATTRIBUTES] = {"id", "attribute", true, false},
};

static char **
list_of(struct channel_settings *settings, unsigned what)
{
    char **const all[] = {
        [LIST_TOPICS] = &settings->topics,
        [LIST_TAGS] = &settings->tags,
        [LIST_ATTRIBUTES] = &settings->attributes,
    };
    return all[what];
}

const char *
channel_element_id(unsigned what)
{
    return lists[what].id;
}

/* ---- an element that comes in ---- */

static int
read_id(struct reader *rd, const struct json_token *value, void *out)
{
    char *id = out;
    return reader_id(rd, value, id);
}

static int
read_name(struct reader *rd, const struct json_token *value, void *out)
{
    struct slice name;
    (void)out;
    return reader_text(rd, value, 1, CHANNEL_NAME_MAX, &name);
}

/* The members that the table has; what else there is belongs to the customer. */
static int
read_known(struct reader *rd, const struct json_token *object,
           const struct field *fields, size_t n, void *out)
{
    if (object->type != JSON_OBJECT)
        return reader_fail(rd, "must be an object, not %s",
                           json_type_name(object->type));
    for (size_t i = 0; i < n; i++) {
        const struct json_token *value = json_member(&rd->doc, object, fields[i].name);
        if (!value)
            continue;
        size_t mark = reader_enter(rd, slice_of(fields[i].name));
        int rc = fields[i].read(rd, value, out);
        if (rc != 0)
            return rc;
        reader_leave(rd, mark);
    }
    return 0;
}

int
channel_element_read(struct reader *rd, const struct json_token *value, unsigned what,
                     unsigned needed, char id[ID_MAX + 1])
{
    const struct field fields[] = {{lists[what].id, read_id}, {"name", read_name}};

    id[0] = '\0';
    int rc = lists[what].free ? read_known(rd, value, fields, ARRAY_LEN(fields), id)
                              : reader_object(rd, value, fields, ARRAY_LEN(fields), id);
    if (rc == 0 && (needed & ELEMENT_ID) && !id[0])
        rc = reader_missing(rd, lists[what].id);
    if (rc == 0 && (needed & ELEMENT_NAME) && !json_member(&rd->doc, value, "name"))
        rc = reader_missing(rd, "name");
    return rc;
}

/* ---- edits: each is a new list ---- */

/* For a list and an element that may both turn out to be too long. */
#define EDIT_ROOM (CHANNEL_SETTINGS_MAX * 4)

struct edit {
    /* Finds *old, the element that changes, or leaves it NULL for one that is added,
     * and writes what stands there then into `element`, or nothing. */
    int (*find)(struct edit *edit, struct api_request *r, struct engine *engine,
                const struct json_doc *list, const struct json_token **old);
    struct reader rd; /* of the body, which both stay until the request is over */
    char id[ID_MAX + 1];
    struct buf element;
};

static void
edit_free(void *own)
{
    struct edit *edit = own;
    reader_fini(&edit->rd);
    buf_fini(&edit->element);
    free(edit);
}

static struct edit *
edit_new(struct api_request *r,
         int (*find)(struct edit *edit, struct api_request *r, struct engine *engine,
                     const struct json_doc *list, const struct json_token **old))
{
    struct edit *edit = xcalloc(1, sizeof(*edit));
    edit->find = find;
    buf_init(&edit->element, EDIT_ROOM);
    r->own = edit;
    r->own_free = edit_free;
    return edit;
}

static const struct json_token *
find_element(const struct json_doc *list, unsigned what, const char *id)
{
    const struct json_token *all = &list->tokens[0];
    const struct json_token *element = json_first(list, all);

    for (; element; element = json_after(list, all, element)) {
        const struct json_token *own = json_member(list, element, lists[what].id);
        if (own && json_string_is(list, own, id))
            break;
    }
    return element;
}

/* The list with `instead` (n 0: nothing) in the place of `old`, or behind all. */
static void
write_list(struct buf *out, const struct json_doc *list, const struct json_token *old,
           struct slice instead)
{
    const struct json_token *all = &list->tokens[0];
    const struct json_token *element = json_first(list, all);
    struct json_out json;

    json_out_init(&json, out);
    json_array(&json, NULL);
    for (; element; element = json_after(list, all, element)) {
        struct slice shown = element == old ? instead : json_raw(list, element);
        if (shown.n)
            json_raw_out(&json, NULL, shown);
    }
    if (!old)
        json_raw_out(&json, NULL, instead);
    json_array_end(&json);
}

static int
edit_list(struct edit *edit, struct api_request *r, struct engine *engine, char **text)
{
    const struct json_token *old = NULL;
    struct json_error error;
    struct json_doc list;
    struct buf out;

    json_init(&list);
    list.max_depth = JSON_DEPTH_WRAPPED;
    buf_init(&out, EDIT_ROOM);
    buf_reset(&edit->element);
    int rc = json_parse(&list, *text, strlen(*text), &error);
    if (rc == 0)
        rc = edit->find(edit, r, engine, &list, &old);
    if (rc == 0)
        write_list(&out, &list, old, buf_slice(&edit->element));
    if (rc == 0)
        rc = edit->element.failed ? edit->element.failed : out.failed;
    if (rc == 0)
        settings_set(text, buf_slice(&out));
    buf_fini(&out);
    json_fini(&list);
    return rc;
}

static int
edit_apply(struct engine *engine, struct engine_change *change)
{
    struct api_request *r = container_of(change, struct api_request, op.change);
    struct channel *channel = channel_copy_now(engine, r);
    if (!channel)
        return E_NOT_FOUND;
    int rc = edit_list(r->own, r, engine, list_of(&channel->settings, r->route->what));
    if (rc == 0)
        rc = settings_fit(&channel->settings, &change->err);
    if (rc == 0)
        change->channel = channel;
    else
        channel_unref(channel);
    return rc;
}

static void
answer_element(struct engine_change *change, unsigned status)
{
    struct api_request *r = container_of(change, struct api_request, op.change);
    struct edit *edit = r->own;

    if (change->result != 0)
        api_refuse(r, change->result, change->err.text);
    else
        api_answer_buf(r, status, "application/json", &edit->element);
}

static void
edit_start(struct api_request *r, void (*done)(struct engine_change *change))
{
    r->op.change = (struct engine_change){.apply = edit_apply, .done = done};
    httpd_hold(r->req);
    engine_change(r->api->engine, &r->op.change);
}

/* ---- show ---- */

void
channel_list_show(struct api_request *r)
{
    api_json_begin(r);
    json_raw_out(&r->json, "data",
                 slice_of(*list_of(&r->channel->settings, r->route->what)));
    api_json_end(r, 200);
}

/* ---- add ---- */

static int
find_place(struct edit *edit, struct api_request *r, struct engine *engine,
           const struct json_doc *list, const struct json_token **old)
{
    struct err *err = &r->op.change.err;
    unsigned what = r->route->what;
    struct slice body = json_raw(&edit->rd.doc, &edit->rd.doc.tokens[0]);
    char id[ID_MAX + 1];

    *old = NULL;
    if (list->tokens[0].count >= CHANNEL_LIST_MAX)
        return err_set(err, E_TOO_LARGE, "a channel may have at most %d of them",
                       CHANNEL_LIST_MAX);
    if (edit->id[0]) {
        if (find_element(list, what, edit->id))
            return err_set(err, E_CONFLICT, "this %s is there already: \"%s\"",
                           lists[what].noun, edit->id);
        json_compact(&edit->element, body);
        return 0;
    }
    do
        id_make(id, engine_rng(engine));
    while (find_element(list, what, id));
    buf_addf(&edit->element, "{\"%s\":\"%s\",", lists[what].id, id);
    body.p++; /* its brace; a name follows */
    body.n--;
    json_compact(&edit->element, body);
    return 0;
}

static void
add_done(struct engine_change *change)
{
    answer_element(change, 201);
}

void
channel_list_add(struct api_request *r)
{
    struct edit *edit = edit_new(r, find_place);
    unsigned what = r->route->what;
    unsigned needed = ELEMENT_NAME | (lists[what].id_needed ? ELEMENT_ID : 0);

    int rc = reader_init(&edit->rd, r);
    if (rc == 0)
        rc = channel_element_read(&edit->rd, &edit->rd.doc.tokens[0], what, needed,
                                  edit->id);
    if (rc == 0)
        edit_start(r, add_done);
}

/* ---- change ---- */

static const struct json_token *
find_member(const struct json_doc *doc, const struct json_token *object,
            struct chars name)
{
    const struct json_token *key = json_first(doc, object);

    while (key) {
        const struct json_token *value = json_after(doc, object, key);
        if (chars_equal(chars_of(doc, key), name))
            return value;
        key = json_after(doc, object, value);
    }
    return NULL;
}

static void
write_member(struct json_out *json, const struct json_doc *names,
             const struct json_token *key, const struct json_doc *values,
             const struct json_token *value)
{
    json_raw_out(json, NULL, json_raw(names, key));
    buf_addc(json->buf, ':');
    json_compact(json->buf, json_raw(values, value));
}

/* The element with what is given of it; null takes a member away. */
static void
write_merged(struct buf *out, const struct json_doc *list, const struct json_token *old,
             const struct json_doc *body)
{
    const struct json_token *given = &body->tokens[0];
    const struct json_token *key, *value;
    struct json_out json;

    json_out_init(&json, out);
    json_object(&json, NULL);
    for (key = json_first(list, old); key; key = json_after(list, old, value)) {
        value = json_after(list, old, key);
        const struct json_token *instead =
            find_member(body, given, chars_of(list, key));
        if (!instead)
            write_member(&json, list, key, list, value);
        else if (instead->type != JSON_NULL)
            write_member(&json, list, key, body, instead);
    }
    for (key = json_first(body, given); key; key = json_after(body, given, value)) {
        value = json_after(body, given, key);
        if (value->type != JSON_NULL && !find_member(list, old, chars_of(body, key)))
            write_member(&json, body, key, body, value);
    }
    json_object_end(&json);
}

static int
find_or_refuse(const struct json_doc *list, struct api_request *r,
               const struct json_token **old)
{
    const struct edit *edit = r->own;
    unsigned what = r->route->what;

    *old = find_element(list, what, edit->id);
    if (*old)
        return 0;
    return err_set(&r->op.change.err, E_NOT_FOUND, "no such %s", lists[what].noun);
}

static int
find_changed(struct edit *edit, struct api_request *r, struct engine *engine,
             const struct json_doc *list, const struct json_token **old)
{
    (void)engine;
    int rc = find_or_refuse(list, r, old);
    if (rc == 0)
        write_merged(&edit->element, list, *old, &edit->rd.doc);
    return rc;
}

/* Answers 404 when the id in the path cannot be one. */
static int
take_id(struct api_request *r, struct edit *edit)
{
    if (!id_valid(r->id)) {
        api_problem(r, 404, "no such %s", lists[r->route->what].noun);
        return E_NOT_FOUND;
    }
    memcpy(edit->id, r->id.p, r->id.n);
    edit->id[r->id.n] = '\0';
    return 0;
}

static int
read_change(struct api_request *r, struct edit *edit)
{
    struct reader *rd = &edit->rd;
    char id[ID_MAX + 1];

    int rc = reader_init(rd, r);
    if (rc == 0)
        rc = channel_element_read(rd, &rd->doc.tokens[0], r->route->what, 0, id);
    if (rc == 0 && id[0] && strcmp(id, edit->id) != 0) {
        reader_enter(rd, slice_of(channel_element_id(r->route->what)));
        rc = reader_fail(rd, "must be the id of the path: it does not change");
    }
    return rc;
}

static void
change_done(struct engine_change *change)
{
    answer_element(change, 200);
}

void
channel_list_change(struct api_request *r)
{
    struct edit *edit = edit_new(r, find_changed);

    if (take_id(r, edit) == 0 && read_change(r, edit) == 0)
        edit_start(r, change_done);
}

/* ---- delete ---- */

static int
find_deleted(struct edit *edit, struct api_request *r, struct engine *engine,
             const struct json_doc *list, const struct json_token **old)
{
    (void)edit;
    (void)engine;
    return find_or_refuse(list, r, old);
}

void
channel_list_delete(struct api_request *r)
{
    struct edit *edit = edit_new(r, find_deleted);

    if (take_id(r, edit) == 0)
        api_delete(r, edit_apply);
}
