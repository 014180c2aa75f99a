#include "core/event_rules.h"

#include <assert.h>
#include <stdio.h>

#include "base/ids.h"
#include "base/json_text.h"
#include "base/timefmt.h"

/* No character of an id, a type or a time needs an escape, but some encoders write
 * them: short strings are judged by what they mean. The subscription's id alone must be
 * written plainly, since a slice of the body stands for it from here on. */

enum form {
    FORM_TYPE,
    FORM_OBJECT,
    FORM_ID,
    FORM_PLAIN_ID, /* the same, without escapes */
    FORM_CHANNEL,  /* the channel of the path */
    FORM_TIME,
    FORM_STRING,
    FORM_STRINGS,
    FORMS
};

static const struct {
    enum json_type type;
    const char *text;
} forms[FORMS] = {
    [FORM_TYPE] = {JSON_STRING, "one of optIn, optOut, delivery, click, updateTopics, "
                                "topicAdded, attributeUpdate"},
    [FORM_OBJECT] = {JSON_OBJECT, "an object"},
    [FORM_ID] = {JSON_STRING, "an id: 1 to 64 of A-Z a-z 0-9 _ . -"},
    [FORM_PLAIN_ID] = {JSON_STRING, "an id: 1 to 64 of A-Z a-z 0-9 _ . -"},
    [FORM_CHANNEL] = {JSON_STRING, "the id of the channel in the path"},
    [FORM_TIME] = {JSON_STRING, "an ISO 8601 time such as 2024-03-04T09:50:51.375Z"},
    [FORM_STRING] = {JSON_STRING, "a string"},
    [FORM_STRINGS] = {JSON_ARRAY, "an array of strings"},
};

#define ON(type) (1u << EVENT_##type)
#define ALWAYS   EVENT_ALL_TYPES
#define OPTIONAL 0u
#define PUSHED   (ON(DELIVERY) | ON(CLICK))

/* A member, and the types of events that must have it; its form is checked in every
 * event that does. In the order of the product page, which most events keep. */
struct rule {
    const char *name;
    size_t name_n;
    enum form form;
    unsigned required;
};

#define MEMBER(name) name, sizeof(name) - 1

static const struct rule event_rules[] = {
    {MEMBER("type"), FORM_TYPE, ALWAYS},
    {MEMBER("date"), FORM_TIME, PUSHED},
    {MEMBER("subscription"), FORM_OBJECT, ALWAYS},
    {MEMBER("notification"), FORM_OBJECT, PUSHED},
    {MEMBER("channel"), FORM_OBJECT, ALWAYS},
    {MEMBER("newTopicsIds"), FORM_STRINGS, ON(TOPIC_ADDED)},
};

static const struct rule subscription_rules[] = {
    {MEMBER("_id"), FORM_PLAIN_ID, ALWAYS},
    {MEMBER("createdAt"), FORM_TIME, OPTIONAL},
    {MEMBER("syncedAt"), FORM_TIME, OPTIONAL},
    {MEMBER("channel"), FORM_CHANNEL, OPTIONAL},
    {MEMBER("browserType"), FORM_STRING, OPTIONAL},
    {MEMBER("platformName"), FORM_STRING, OPTIONAL},
    {MEMBER("language"), FORM_STRING, OPTIONAL},
    {MEMBER("country"), FORM_STRING, OPTIONAL},
    {MEMBER("timezone"), FORM_STRING, OPTIONAL},
    {MEMBER("topics"), FORM_STRINGS, ON(UPDATE_TOPICS)},
    {MEMBER("customAttributes"), FORM_OBJECT, ON(ATTRIBUTE_UPDATE)},
};

static const struct rule notification_rules[] = {
    {MEMBER("_id"), FORM_ID, PUSHED},
    {MEMBER("feedGuid"), FORM_STRINGS, OPTIONAL},
};

static const struct rule channel_rules[] = {
    {MEMBER("_id"), FORM_CHANNEL, ALWAYS},
};

/* The objects that have rules. The event itself comes first: what it says about the
 * others' form has then been checked. */
struct part {
    const char *name; /* in the event; NULL for the event */
    const struct rule *rules;
    size_t n;
};

static const struct part parts[] = {
    {NULL, event_rules, ARRAY_LEN(event_rules)},
    {"subscription", subscription_rules, ARRAY_LEN(subscription_rules)},
    {"notification", notification_rules, ARRAY_LEN(notification_rules)},
    {"channel", channel_rules, ARRAY_LEN(channel_rules)},
};

#define RULES_MAX 16
_Static_assert(ARRAY_LEN(subscription_rules) <= RULES_MAX, "members found per object");

struct check {
    const struct json_doc *doc;
    struct slice channel;
    unsigned type; /* a bit */
    struct event_error *error;
};

/* The first element of an array that is no string, and its place; NULL if all are. */
static const struct json_token *
not_a_string(const struct json_doc *doc, const struct json_token *array, int *at)
{
    const struct json_token *token = json_first(doc, array);

    for (*at = 0; token && token->type == JSON_STRING; ++*at)
        token = json_after(doc, array, token);
    return token;
}

/* ---- failures ---- */

static int
fail_at(struct check *check, const struct part *part, const struct rule *rule,
        int element)
{
    char *pointer = check->error->pointer;
    size_t room = sizeof(check->error->pointer);
    const char *slash = part->name ? "/" : "";
    const char *name = part->name ? part->name : "";

    if (element < 0)
        snprintf(pointer, room, "%s%s/%s", slash, name, rule->name);
    else
        snprintf(pointer, room, "%s%s/%s/%d", slash, name, rule->name, element);
    return E_INVALID;
}

static int
fail_missing(struct check *check, const struct part *part, const struct rule *rule)
{
    snprintf(check->error->reason, sizeof(check->error->reason),
             "is missing; must be %s", forms[rule->form].text);
    return fail_at(check, part, rule, -1);
}

static int
fail_form(struct check *check, const struct part *part, const struct rule *rule,
          const struct json_token *value)
{
    bool other = value->type != forms[rule->form].type;
    const char *also = "";
    int at;

    if (rule->form == FORM_STRINGS && !other) {
        const struct json_token *element = not_a_string(check->doc, value, &at);
        assert(element);
        snprintf(check->error->reason, sizeof(check->error->reason),
                 "must be a string, not %s", json_type_name(element->type));
        return fail_at(check, part, rule, at);
    }
    if (value->type == JSON_NULL && !(rule->required & check->type))
        also = " (leave out what is not known)";
    else if (value->escaped && rule->form == FORM_PLAIN_ID)
        also = ", written without escapes";
    snprintf(check->error->reason, sizeof(check->error->reason), "must be %s%s%s%s",
             forms[rule->form].text, other ? ", not " : "",
             other ? json_type_name(value->type) : "", also);
    return fail_at(check, part, rule, -1);
}

/* ---- forms ---- */

#define SHORT_MAX 64 /* bytes of the longest id, type or time */

/* What a string means; a longer one than SHORT_MAX, when it is escaped, is given as it
 * is written, since it is none of the forms either way. */
static struct slice
short_text(const struct json_doc *doc, const struct json_token *value,
           char room[SHORT_MAX])
{
    struct slice raw = json_string_raw(doc, value);
    struct chars chars = chars_of(doc, value);
    size_t used = 0;
    char c[4];

    if (!value->escaped)
        return raw;
    for (size_t n; (n = chars_next(&chars, c)) > 0; used += n) {
        if (used + n > SHORT_MAX)
            return raw;
        memcpy(room + used, c, n);
    }
    return (struct slice){room, used};
}

static bool
is_form(const struct check *check, enum form form, const struct json_token *value)
{
    if (value->type != forms[form].type)
        return false;

    char room[SHORT_MAX];
    enum event_type type;
    msec_t ms;
    int at;

    switch (form) {
    case FORM_TYPE:
        return event_type_parse(short_text(check->doc, value, room), &type);
    case FORM_ID:
        return id_valid(short_text(check->doc, value, room));
    case FORM_PLAIN_ID:
        return !value->escaped && id_valid(json_string_raw(check->doc, value));
    case FORM_CHANNEL:
        return slice_eq(short_text(check->doc, value, room), check->channel);
    case FORM_TIME:
        return time_parse(short_text(check->doc, value, room), &ms);
    case FORM_STRINGS:
        return !not_a_string(check->doc, value, &at);
    case FORM_OBJECT:
    case FORM_STRING:
    case FORMS:
        break;
    }
    return true;
}

/* ---- the walk ---- */

/* The rule of a member's name, n if it has none. Looks first where the member would
 * stand on the product page: behind the last one. */
static size_t
rule_find(const struct part *part, const struct json_doc *doc,
          const struct json_token *key, size_t expected)
{
    struct slice name = json_string_raw(doc, key);

    for (size_t i = 0, at = expected; i < part->n; i++, at++) {
        if (at >= part->n)
            at = 0;
        const struct rule *rule = &part->rules[at];
        bool same = key->escaped
                        ? json_string_is(doc, key, rule->name)
                        : slice_eq(name, (struct slice){rule->name, rule->name_n});
        if (same)
            return at;
    }
    return part->n;
}

/* Checks each member of an object that has a rule, then that none is missing. found[i]
 * is the value of rule i, or NULL. */
static int
object_check(struct check *check, const struct part *part,
             const struct json_token *object, const struct json_token *found[RULES_MAX])
{
    const struct json_doc *doc = check->doc;
    size_t expected = 0;

    for (const struct json_token *key = json_first(doc, object); key;) {
        const struct json_token *value = json_after(doc, object, key);
        size_t rule = rule_find(part, doc, key, expected);
        if (rule < part->n) {
            found[rule] = value;
            expected = rule + 1;
        }
        key = json_after(doc, object, value);
    }

    for (size_t i = 0; i < part->n; i++) {
        const struct rule *rule = &part->rules[i];
        if (!found[i]) {
            if (rule->required & check->type)
                return fail_missing(check, part, rule);
        } else if (!is_form(check, rule->form, found[i])) {
            return fail_form(check, part, rule, found[i]);
        }
        if (rule->form == FORM_TYPE) {
            enum event_type type = EVENT_TYPES;
            char room[SHORT_MAX];
            assert(found[i]); /* it is always required */
            bool known = event_type_parse(short_text(doc, found[i], room), &type);
            assert(known);
            check->type = 1u << type;
        }
    }
    return 0;
}

int
event_rules_check(const struct json_doc *doc, struct slice channel,
                  struct event_ref *ref, struct event_error *error)
{
    struct check check = {doc, channel, EVENT_ALL_TYPES, error};
    struct slice subscription = {0};

    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        const struct part *part = &parts[i];
        const struct json_token *found[RULES_MAX] = {0};
        const struct json_token *object = &doc->tokens[0];

        if (part->name)
            object = json_member(doc, object, part->name);
        if (!object)
            continue; /* and may be missing: the event's own rules have passed */
        int rc = object_check(&check, part, object, found);
        if (rc != 0)
            return rc;
        if (part->rules == subscription_rules)
            subscription = json_string_raw(doc, found[0]);
    }

    ref->type = (enum event_type)__builtin_ctz(check.type);
    ref->subscription = subscription;
    return 0;
}
