/* Reading a JSON object by a table of its members. */
#include "api/fields.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/timefmt.h"

#define PATH_MAX_BYTES 1024

static void
refuse_text(struct api_request *r, const struct json_error *error)
{
    char detail[200];
    snprintf(detail, sizeof(detail), "not valid JSON at byte %zu: %s", error->offset,
             error->reason);
    problem_answer(r->req, 400, (struct problem_place){-1, slice_of(error->pointer)},
                   detail);
}

int
reader_init(struct reader *rd, struct api_request *r)
{
    struct slice body = httpd_body(r->req);
    struct json_error error;

    rd->request = r;
    json_init(&rd->doc);
    buf_init(&rd->path, PATH_MAX_BYTES);
    buf_init_mem(&rd->text, API_CONFIG_BODY_MAX, &mem_secret); /* some are secrets */
    int rc = json_parse(&rd->doc, body.n ? body.p : "", body.n, &error);
    if (rc == E_NO_MEMORY)
        api_refuse(r, rc, NULL);
    else if (rc != 0)
        refuse_text(r, &error);
    else if (rd->doc.tokens[0].type != JSON_OBJECT)
        rc = reader_fail(rd, "the body must be an object, not %s",
                         json_type_name(rd->doc.tokens[0].type));
    return rc;
}

void
reader_fini(struct reader *rd)
{
    json_fini(&rd->doc);
    buf_fini(&rd->path);
    buf_fini(&rd->text);
}

/* ---- where we are ---- */

size_t
reader_enter(struct reader *rd, struct slice name)
{
    size_t mark = rd->path.n;
    buf_addc(&rd->path, '/');
    for (size_t i = 0; i < name.n; i++) {
        if (name.p[i] == '~')
            buf_adds(&rd->path, "~0");
        else if (name.p[i] == '/')
            buf_adds(&rd->path, "~1");
        else
            buf_addc(&rd->path, name.p[i]);
    }
    return mark;
}

void
reader_leave(struct reader *rd, size_t mark)
{
    rd->path.n = mark;
    rd->path.failed = 0; /* a path that is too long is shown as far as it fits */
}

int
reader_fail(struct reader *rd, const char *fmt, ...)
{
    char detail[800];
    va_list args;

    va_start(args, fmt);
    vsnprintf(detail, sizeof(detail), fmt, args);
    va_end(args);
    struct slice path = rd->path.p ? buf_slice(&rd->path) : SLICE("");
    problem_answer(rd->request->req, 400, (struct problem_place){-1, path}, detail);
    return E_INVALID;
}

int
reader_missing(struct reader *rd, const char *name)
{
    reader_enter(rd, slice_of(name));
    return reader_fail(rd, "is missing");
}

/* ---- objects ---- */

static int
refuse_unknown(struct reader *rd, const struct field *fields, size_t n)
{
    char list[300] = "";
    size_t used = 0;
    for (size_t i = 0; i < n && used < sizeof(list); i++)
        used += (size_t)snprintf(list + used, sizeof(list) - used, "%s%s",
                                 i ? ", " : "", fields[i].name);
    return reader_fail(rd, "unknown member: there are %s", list);
}

static int
read_member(struct reader *rd, const struct json_token *key,
            const struct json_token *value, const struct field *fields, size_t n,
            void *out)
{
    buf_reset(&rd->text);
    if (json_string_add(&rd->doc, key, &rd->text) != 0) {
        api_refuse(rd->request, E_NO_MEMORY, NULL);
        return E_NO_MEMORY;
    }
    size_t mark = reader_enter(rd, buf_slice(&rd->text));
    for (size_t i = 0; i < n; i++) {
        if (!slice_is(buf_slice(&rd->text), fields[i].name))
            continue;
        int rc = fields[i].read(rd, value, out);
        reader_leave(rd, mark);
        return rc;
    }
    return refuse_unknown(rd, fields, n);
}

int
reader_object(struct reader *rd, const struct json_token *object,
              const struct field *fields, size_t n, void *out)
{
    if (object->type != JSON_OBJECT)
        return reader_fail(rd, "must be an object, not %s",
                           json_type_name(object->type));
    const struct json_token *key = json_first(&rd->doc, object);
    while (key) {
        const struct json_token *value = json_after(&rd->doc, object, key);
        int rc = read_member(rd, key, value, fields, n, out);
        if (rc != 0)
            return rc;
        key = json_after(&rd->doc, object, value);
    }
    return 0;
}

int
reader_array(struct reader *rd, const struct json_token *array, size_t max,
             int (*read)(struct reader *rd, const struct json_token *value, void *out),
             void *out)
{
    int rc = 0;

    if (array->type != JSON_ARRAY)
        return reader_fail(rd, "must be an array, not %s", json_type_name(array->type));
    if (array->count > max)
        return reader_fail(rd, "may have at most %zu elements", max);
    const struct json_token *value = json_first(&rd->doc, array);
    for (size_t i = 0; value && rc == 0; i++) {
        char index[24];
        snprintf(index, sizeof(index), "%zu", i);
        size_t mark = reader_enter(rd, slice_of(index));
        rc = read(rd, value, out);
        reader_leave(rd, mark);
        value = json_after(&rd->doc, array, value);
    }
    return rc;
}

int
reader_nothing(struct api_request *r)
{
    struct reader rd;
    if (httpd_body(r->req).n == 0)
        return 0;
    int rc = reader_init(&rd, r);
    if (rc == 0 && rd.doc.tokens[0].count > 0)
        rc = reader_fail(&rd, "this request has no members");
    reader_fini(&rd);
    return rc;
}

/* ---- values ---- */

int
reader_text(struct reader *rd, const struct json_token *value, size_t min, size_t max,
            struct slice *out)
{
    if (value->type != JSON_STRING)
        return reader_fail(rd, "must be a string, not %s", json_type_name(value->type));
    buf_reset(&rd->text);
    if (json_string_add(&rd->doc, value, &rd->text) != 0) {
        api_refuse(rd->request, E_NO_MEMORY, NULL);
        return E_NO_MEMORY;
    }
    struct slice text = rd->text.p ? buf_slice(&rd->text) : SLICE("");
    if (text.n < min)
        return reader_fail(rd, min == 1 ? "must not be empty" : "is too short");
    if (text.n > max)
        return reader_fail(rd, "may have at most %zu bytes", max);
    if (memchr(text.p, '\0', text.n))
        return reader_fail(rd, "must not hold U+0000");
    *out = text;
    return 0;
}

int
reader_id(struct reader *rd, const struct json_token *value, char out[ID_MAX + 1])
{
    struct slice id = SLICE("");
    int rc = reader_text(rd, value, 1, ID_MAX, &id);
    if (rc != 0)
        return rc;
    /* They are ids elsewhere. */
    if (slice_is(id, ".") || slice_is(id, ".."))
        return reader_fail(rd, "must not be \".\" or \"..\": clients cannot put them "
                               "into a path");
    if (!id_valid(id))
        return reader_fail(rd, "must be 1 to 64 characters of A-Z a-z 0-9 _ . -");
    memcpy(out, id.p, id.n);
    out[id.n] = '\0';
    return 0;
}

int
reader_url(struct reader *rd, const struct json_token *value, char **url)
{
    char kept[WEBHOOK_URL_MAX + 1];
    struct slice text = {0};
    struct err err = {0};
    int rc = reader_text(rd, value, 1, WEBHOOK_URL_MAX, &text);
    if (rc != 0)
        return rc;
    char *given = xstrndup(text.p, text.n);
    rc = engine_url_read(rd->request->api->engine, given, kept, &err);
    free(given);
    if (rc != 0)
        return reader_fail(rd, "%s", err.text);
    free(*url);
    *url = xstrdup(kept);
    return 0;
}

int
reader_bool(struct reader *rd, const struct json_token *value, bool *out)
{
    if (value->type != JSON_TRUE && value->type != JSON_FALSE)
        return reader_fail(rd, "must be true or false, not %s",
                           json_type_name(value->type));
    *out = value->type == JSON_TRUE;
    return 0;
}

int
reader_number(struct reader *rd, const struct json_token *value, double min, double max,
              double *out)
{
    double number;
    if (value->type != JSON_NUMBER)
        return reader_fail(rd, "must be a number, not %s", json_type_name(value->type));
    if (!json_double(&rd->doc, value, &number) || number < min || number > max)
        return reader_fail(rd, "must be from %g to %.0f", min, max);
    *out = number;
    return 0;
}

int
reader_int(struct reader *rd, const struct json_token *value, int64_t min, int64_t max,
           int64_t *out)
{
    int64_t number;
    if (value->type != JSON_NUMBER)
        return reader_fail(rd, "must be a number, not %s", json_type_name(value->type));
    if (!json_int(&rd->doc, value, &number) || number < min || number > max)
        return reader_fail(rd, "must be a whole number from %lld to %lld",
                           (long long)min, (long long)max);
    *out = number;
    return 0;
}

int
reader_time(struct reader *rd, const struct json_token *value, msec_t *at_ms)
{
    struct slice text = SLICE("");
    int rc = reader_text(rd, value, 1, API_CONFIG_BODY_MAX, &text);
    if (rc != 0)
        return rc;
    if (!time_parse(text, at_ms))
        return reader_fail(rd, "must be a time as in 2024-03-04T09:50:51Z");
    return 0;
}
