/* Which notification an event is about, read from its bytes: they have been checked
 * when they came in, so nothing is checked again, and what stands before and behind is
 * passed over. */
#include "base/json.h"
#include "core/event.h"

static const char name[] = "notification";

/* Behind the closing quote; `at` is behind the opening one. */
static size_t
skip_string(struct slice body, size_t at)
{
    for (; at < body.n && body.p[at] != '"'; at++)
        at += body.p[at] == '\\';
    return at + 1;
}

/* Behind a value. */
static size_t
skip_value(struct slice body, size_t at)
{
    int depth = 0;

    for (; at < body.n; at++) {
        switch (body.p[at]) {
        case '"':
            at = skip_string(body, at + 1) - 1;
            break;
        case '{':
        case '[':
            depth++;
            break;
        case '}':
        case ']':
            if (depth == 0)
                return at; /* of what the value is in */
            depth--;
            break;
        case ',':
            if (depth == 0)
                return at;
            break;
        default:
            break;
        }
    }
    return body.n;
}

/* The value of an object's member; the object begins at `at`. An empty slice: it has
 * none. *escaped: a name is written in another way, so it has to be read with care. */
static struct slice
find_member(struct slice body, size_t at, const char *member, bool *escaped)
{
    at = json_skip_space(body.p, body.n, at);
    while (at < body.n && (body.p[at] == '{' || body.p[at] == ',')) {
        size_t key = json_skip_space(body.p, body.n, at + 1);
        if (key >= body.n || body.p[key] != '"')
            break;
        size_t end = skip_string(body, key + 1);
        if (end > body.n)
            break;
        struct slice written = {body.p + key + 1, end - key - 2};
        *escaped = *escaped || memchr(written.p, '\\', written.n);
        size_t value = json_skip_space(body.p, body.n, end);
        value = json_skip_space(body.p, body.n, value + 1); /* behind the colon */
        at = value < body.n ? skip_value(body, value) : body.n;
        if (slice_is(written, member) && value < at)
            return (struct slice){body.p + value, at - value};
    }
    return (struct slice){0};
}

static bool
take_id(struct slice id, char out[ID_MAX + 1])
{
    if (!id_valid(id))
        return false;
    memcpy(out, id.p, id.n);
    out[id.n] = '\0';
    return true;
}

/* In full, for the few that write what needs no escape with one. */
static bool
read_carefully(struct slice body, char out[ID_MAX + 1])
{
    struct json_error error;
    struct json_doc doc;
    struct buf id;
    bool found = false;

    json_init(&doc);
    buf_init(&id, EVENT_MAX_BYTES);
    if (json_parse(&doc, body.p, body.n, &error) == 0) {
        const struct json_token *object = json_member(&doc, &doc.tokens[0], name);
        const struct json_token *token =
            object ? json_member(&doc, object, "_id") : NULL;
        if (token && token->type == JSON_STRING &&
            json_string_add(&doc, token, &id) == 0)
            found = take_id(buf_slice(&id), out);
    }
    buf_fini(&id);
    json_fini(&doc);
    return found;
}

bool
event_notification(struct slice body, char out[ID_MAX + 1])
{
    bool escaped = false;

    if (!memmem(body.p, body.n, name, sizeof(name) - 1) &&
        !memchr(body.p, '\\', body.n))
        return false;
    struct slice object = find_member(body, 0, name, &escaped);
    struct slice value = {0};
    if (object.n && object.p[0] == '{')
        value = find_member(object, 0, "_id", &escaped);
    if (escaped || (value.n && memchr(value.p, '\\', value.n)))
        return read_carefully(body, out);
    while (value.n && value.p[value.n - 1] != '"')
        value.n--; /* white space behind it */
    if (value.n < 2 || value.p[0] != '"')
        return false;
    return take_id((struct slice){value.p + 1, value.n - 2}, out);
}
