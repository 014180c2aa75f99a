/* Query parameters: a table of names, each with its reader. */
#include "api/query.h"

#include <stdio.h>

#include "base/buf.h"
#include "base/timefmt.h"
#include "core/call.h"
#include "core/event.h"
#include "core/subscription.h"

/* ---- one parameter each; the value is a string ---- */

static int
read_limit(struct query *query, const char *value, struct err *err)
{
    size_t n = 0;
    size_t digits = strspn(value, "0123456789");
    if (digits > 0 && digits <= 3 && value[digits] == '\0')
        for (const char *p = value; *p; p++)
            n = n * 10 + (size_t)(*p - '0');
    if (n < 1 || n > QUERY_LIMIT_MAX)
        return err_set(err, E_INVALID, "limit must be a number from 1 to %d",
                       QUERY_LIMIT_MAX);
    query->limit = n;
    return 0;
}

static int
read_cursor(struct query *query, const char *value, struct err *err)
{
    size_t n = strlen(value);
    if (n == 0 || n >= sizeof(query->cursor))
        return err_set(err, E_INVALID, "cursor must be a nextCursor of this list");
    memcpy(query->cursor, value, n + 1);
    return 0;
}

/* The next name of a comma list; false at its end. */
static bool
next_name(const char **at, struct slice *name)
{
    if (!*at)
        return false;
    size_t n = strcspn(*at, ",");
    *name = (struct slice){*at, n};
    *at = (*at)[n] == ',' ? *at + n + 1 : NULL;
    return true;
}

static int
unknown_name(const char *parameter, struct slice name, const char *(*known)(unsigned),
             unsigned n, struct err *err)
{
    char list[200] = "";
    size_t used = 0;
    for (unsigned i = 0; i < n; i++) {
        const char *known_name = known(i);
        if (known_name && used < sizeof(list))
            used += (size_t)snprintf(list + used, sizeof(list) - used, "%s%s",
                                     used ? ", " : "", known_name);
    }
    return err_set(err, E_INVALID, "%s: \"%.*s\" is not one of %s", parameter,
                   (int)(name.n < 64 ? name.n : 64), name.p, list);
}

static const char *
known_type(unsigned i)
{
    return event_type_name((enum event_type)i);
}

static int
read_type(struct query *query, const char *value, struct err *err)
{
    struct slice name;
    uint32_t types = 0;
    while (next_name(&value, &name)) {
        enum event_type type;
        if (!event_type_parse(name, &type))
            return unknown_name("type", name, known_type, EVENT_TYPES, err);
        types |= 1u << type;
    }
    query->types = types;
    return 0;
}

/* In flight is never shown, so nobody can ask for it. */
static const char *
known_state(unsigned i)
{
    return i == CALL_IN_FLIGHT ? NULL : call_state_name((enum call_state)i);
}

static int
read_state(struct query *query, const char *value, struct err *err)
{
    struct slice name;
    uint32_t states = 0;
    while (next_name(&value, &name)) {
        enum call_state state;
        if (!call_state_parse(name, &state) || state == CALL_IN_FLIGHT)
            return unknown_name("state", name, known_state, CALL_STATES, err);
        states |= 1u << state;
    }
    query->states = states;
    return 0;
}

static int
read_id(const char *name, const char *value, char out[ID_MAX + 1], struct err *err)
{
    struct slice id = slice_of(value);
    if (!id_valid(id))
        return err_set(err, E_INVALID,
                       "%s must be an id: 1 to 64 characters of A-Z a-z 0-9 _ . -",
                       name);
    memcpy(out, id.p, id.n);
    out[id.n] = '\0';
    return 0;
}

static int
read_subscription(struct query *query, const char *value, struct err *err)
{
    return read_id("subscription", value, query->subscription, err);
}

static int
read_notification(struct query *query, const char *value, struct err *err)
{
    return read_id("notification", value, query->notification, err);
}

static int
read_error(struct query *query, const char *value, struct err *err)
{
    size_t n = strlen(value);
    if (n == 0 || n > QUERY_ERROR_MAX)
        return err_set(err, E_INVALID, "error must have 1 to %d bytes",
                       QUERY_ERROR_MAX);
    memcpy(query->error, value, n + 1);
    return 0;
}

#define TIME_MAX 64 /* longer ones are none */

/* A real time before 1970, when nothing had happened: the same date of a year that is
 * so many times 400 years later, for which the calendar is the same, is one. */
static bool
is_before_1970(const char *value)
{
    char later[TIME_MAX + 1];
    size_t n = strlen(value);
    msec_t ignored;

    if (n > TIME_MAX || strspn(value, "0123456789") != 4 || strcmp(value, "1970") >= 0)
        return false;
    memcpy(later, value, n + 1);
    unsigned centuries = (unsigned)(value[0] - '0') * 10 + (unsigned)(value[1] - '0');
    centuries = centuries % 4 + 20;
    later[0] = (char)('0' + centuries / 10);
    later[1] = (char)('0' + centuries % 10);
    return time_parse(slice_of(later), &ignored);
}

/* Whether this was a time before the + of its zone was read as a space. */
static bool
has_lost_plus(const char *value)
{
    char mended[TIME_MAX + 1];
    size_t n = strlen(value);
    msec_t ignored;

    if (n > TIME_MAX || !strchr(value, ' '))
        return false;
    memcpy(mended, value, n + 1);
    *strchr(mended, ' ') = '+';
    return time_parse(slice_of(mended), &ignored) || is_before_1970(mended);
}

/* The smallest key at or after a time. */
static int
read_time(const char *name, const char *value, uint64_t *key, struct err *err)
{
    msec_t at_ms = 0;
    if (!time_parse(slice_of(value), &at_ms) && !is_before_1970(value))
        return err_set(
            err, E_INVALID, "%s must be a time like 2024-03-04T09:50:51.375Z%s", name,
            has_lost_plus(value) ? "; in a query a + is a space: write it as %2B" : "");
    *key = event_key_at(at_ms);
    return 0;
}

static int
read_since(struct query *query, const char *value, struct err *err)
{
    return read_time("since", value, &query->since_key, err);
}

static int
read_until(struct query *query, const char *value, struct err *err)
{
    return read_time("until", value, &query->before_key, err);
}

static int
read_webhook(struct query *query, const char *value, struct err *err)
{
    uint64_t number;
    if (!webhook_id_parse(slice_of(value), &number) || number == 0)
        return err_set(err, E_INVALID, "webhook must be the id of a webhook");
    query->webhook = number;
    return 0;
}

/* ---- of a stream ---- */

static const char *
known_kind(unsigned i)
{
    static const char *const names[] = {"event", "attempt"};
    return i < ARRAY_LEN(names) ? names[i] : NULL;
}

static int
read_kind(struct query *query, const char *value, struct err *err)
{
    struct slice name;
    uint32_t kinds = 0;
    while (next_name(&value, &name)) {
        if (slice_is(name, known_kind(0)))
            kinds |= KIND_EVENT;
        else if (slice_is(name, known_kind(1)))
            kinds |= KIND_ATTEMPT;
        else
            return unknown_name("kind", name, known_kind, 2, err);
    }
    query->kinds = kinds;
    return 0;
}

static int
read_after(struct query *query, const char *value, struct err *err)
{
    (void)err; /* whoever reads the stream knows what it must be */
    query->after = value;
    return 0;
}

/* ---- of figures ---- */

const char *
query_range_name(enum query_range range)
{
    static const char *const names[RANGES] = {"hour", "day", "week"};
    return names[range];
}

static int
read_range(struct query *query, const char *value, struct err *err)
{
    for (int range = 0; range < RANGES; range++)
        if (strcmp(value, query_range_name((enum query_range)range)) == 0) {
            query->range = (enum query_range)range;
            return 0;
        }
    return err_set(err, E_INVALID, "range must be hour, day or week");
}

/* ---- of subscriptions ---- */

#define VALUE_MAX 1000 /* bytes of a value that is looked for */

static int
read_flag(const char *name, const char *value, bool *flag, struct err *err)
{
    *flag = strcmp(value, "true") == 0;
    if (!*flag && strcmp(value, "false") != 0)
        return err_set(err, E_INVALID, "%s must be true or false", name);
    return 0;
}

static int
read_inactive(struct query *query, const char *value, struct err *err)
{
    return read_flag("inactive", value, &query->inactive, err);
}

static int
read_follow(struct query *query, const char *value, struct err *err)
{
    return read_flag("follow", value, &query->follow, err);
}

static int
read_emit(struct query *query, const char *value, struct err *err)
{
    return read_flag("events", value, &query->emit, err);
}

static int
read_text(const char *name, const char *value, const char **text, struct err *err)
{
    if (!*value || strlen(value) > VALUE_MAX)
        return err_set(err, E_INVALID, "%s must have 1 to %d bytes", name, VALUE_MAX);
    *text = value;
    return 0;
}

static int
read_topic(struct query *query, const char *value, struct err *err)
{
    return read_text("topic", value, &query->topic, err);
}

static int
read_tag(struct query *query, const char *value, struct err *err)
{
    return read_text("tag", value, &query->tag, err);
}

static int
read_platform(struct query *query, const char *value, struct err *err)
{
    return read_text("platform", value, &query->platform, err);
}

static int
read_language(struct query *query, const char *value, struct err *err)
{
    return read_text("language", value, &query->language, err);
}

static int
read_country(struct query *query, const char *value, struct err *err)
{
    return read_text("country", value, &query->country, err);
}

static int
read_attribute(struct query *query, const char *value, struct err *err)
{
    return read_text("attribute", value, &query->attribute, err);
}

static int
read_value(struct query *query, const char *value, struct err *err)
{
    /* Longer ones are not kept where they are found. */
    if (strlen(value) > ATTRIBUTE_FOUND_MAX - 6)
        return err_set(err, E_INVALID, "value may have at most %d bytes",
                       ATTRIBUTE_FOUND_MAX - 6);
    return read_text("value", value, &query->value, err);
}

static int
read_synced_since(struct query *query, const char *value, struct err *err)
{
    uint64_t ignored;
    int rc = read_time("syncedSince", value, &ignored, err);
    if (rc == 0 && !time_parse(slice_of(value), &query->synced_since_ms))
        query->synced_since_ms = 0; /* before 1970 */
    return rc;
}

/* ---- all of them ---- */

static const struct parameter {
    const char *name;
    uint32_t bit;
    int (*read)(struct query *query, const char *value, struct err *err);
} parameters[] = {
    {"limit", QUERY_LIMIT, read_limit},
    {"cursor", QUERY_CURSOR, read_cursor},
    {"type", QUERY_TYPE, read_type},
    {"subscription", QUERY_SUBSCRIPTION, read_subscription},
    {"notification", QUERY_NOTIFICATION, read_notification},
    {"error", QUERY_ERROR, read_error},
    {"since", QUERY_SINCE, read_since},
    {"until", QUERY_UNTIL, read_until},
    {"state", QUERY_STATE, read_state},
    {"webhook", QUERY_WEBHOOK, read_webhook},
    {"inactive", QUERY_INACTIVE, read_inactive},
    {"topic", QUERY_TOPIC, read_topic},
    {"tag", QUERY_TAG, read_tag},
    {"platform", QUERY_PLATFORM, read_platform},
    {"language", QUERY_LANGUAGE, read_language},
    {"country", QUERY_COUNTRY, read_country},
    {"attribute", QUERY_ATTRIBUTE, read_attribute},
    {"value", QUERY_VALUE, read_value},
    {"syncedSince", QUERY_SYNCED_SINCE, read_synced_since},
    {"events", QUERY_EMIT, read_emit},
    {"kind", QUERY_KIND, read_kind},
    {"after", QUERY_AFTER, read_after},
    {"follow", QUERY_FOLLOW, read_follow},
    {"range", QUERY_RANGE, read_range},
};

struct reading {
    struct query *query;
    uint32_t allowed;
    int rc;
    struct err *err;
};

static int
refuse_unknown(const char *name, uint32_t allowed, struct err *err)
{
    char list[200] = "";
    size_t used = 0;
    for (size_t i = 0; i < ARRAY_LEN(parameters); i++)
        if ((allowed & parameters[i].bit) && used < sizeof(list))
            used += (size_t)snprintf(list + used, sizeof(list) - used, "%s%s",
                                     used ? ", " : "", parameters[i].name);
    if (!allowed)
        return err_set(err, E_INVALID, "this request takes no query parameters");
    return err_set(err, E_INVALID, "unknown query parameter \"%.64s\": there are %s",
                   name, list);
}

static void
read_one(void *ctx, const char *name, const char *value)
{
    struct reading *reading = ctx;
    if (reading->rc != 0)
        return;
    for (size_t i = 0; i < ARRAY_LEN(parameters); i++) {
        const struct parameter *parameter = &parameters[i];
        if (!(reading->allowed & parameter->bit) || strcmp(name, parameter->name) != 0)
            continue;
        if (reading->query->given & parameter->bit) {
            reading->rc =
                err_set(reading->err, E_INVALID, "%s is given twice", parameter->name);
            return;
        }
        reading->query->given |= parameter->bit;
        reading->rc = parameter->read(reading->query, value ? value : "", reading->err);
        return;
    }
    reading->rc = refuse_unknown(name, reading->allowed, reading->err);
}

int
query_read(struct query *query, const struct httpd_req *req, uint32_t allowed,
           struct err *err)
{
    struct query fresh = {
        .limit = QUERY_LIMIT_DEFAULT,
        .types = EVENT_ALL_TYPES,
        .states = (1u << CALL_STATES) - 1,
        .before_key = UINT64_MAX,
        .kinds = KIND_EVENT | KIND_ATTEMPT,
        .follow = true,
        .range = RANGE_DAY,
    };
    struct reading reading = {.query = &fresh, .allowed = allowed, .err = err};

    httpd_query_each(req, read_one, &reading);
    if (reading.rc == 0 && !fresh.attribute != !fresh.value)
        reading.rc = err_set(err, E_INVALID, "attribute and value go together");
    if (reading.rc == 0)
        *query = fresh;
    return reading.rc;
}

void
cursor_number_format(char out[CURSOR_TEXT], uint64_t number)
{
    snprintf(out, CURSOR_TEXT, "%016llx", (unsigned long long)number);
}

bool
cursor_number_parse(const char *text, uint64_t *number)
{
    uint64_t value = 0;
    if (strlen(text) != 16 || strspn(text, "0123456789abcdef") != 16)
        return false;
    for (const char *p = text; *p; p++)
        value = value << 4 | (uint64_t)(*p <= '9' ? *p - '0' : *p - 'a' + 10);
    *number = value;
    return true;
}
