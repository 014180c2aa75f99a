#include "core/subscription.h"

#include <assert.h>

#include "base/crypto.h"
#include "base/err.h"

/* ---- the table ---- */

enum form {
    FORM_TEXT,
    FORM_INT,
    FORM_BOOL,
    FORM_IDS,     /* an array of ids, as a set */
    FORM_STRINGS, /* an array of strings, as a set */
    FORM_ATTRIBUTES
};

static const struct {
    const char *name;
    enum form form;
    size_t max_bytes; /* of a text */
} members[MEMBERS] = {
    [MEMBER_TYPE] = {"type", FORM_TEXT, 64},
    [MEMBER_BROWSER_TYPE] = {"browserType", FORM_TEXT, 128},
    [MEMBER_BROWSER_VERSION] = {"browserVersion", FORM_TEXT, 64},
    [MEMBER_PLATFORM_NAME] = {"platformName", FORM_TEXT, 128},
    [MEMBER_PLATFORM_VERSION] = {"platformVersion", FORM_TEXT, 64},
    [MEMBER_APP_VERSION] = {"appVersion", FORM_TEXT, 128},
    [MEMBER_SDK_VERSION] = {"sdkVersion", FORM_TEXT, 64},
    [MEMBER_LANGUAGE] = {"language", FORM_TEXT, 64},
    [MEMBER_COUNTRY] = {"country", FORM_TEXT, 64},
    [MEMBER_REGION] = {"region", FORM_TEXT, 128},
    [MEMBER_TIMEZONE] = {"timezone", FORM_TEXT, 128},
    [MEMBER_TOPICS] = {"topics", FORM_IDS, 0},
    [MEMBER_TOPICS_VERSION] = {"topicsVersion", FORM_INT, 0},
    [MEMBER_TAGS] = {"tags", FORM_IDS, 0},
    [MEMBER_SEGMENTS] = {"segments", FORM_STRINGS, 0},
    [MEMBER_ATTRIBUTES] = {"customAttributes", FORM_ATTRIBUTES, 0},
    [MEMBER_DEVICE_ID] = {"deviceId", FORM_TEXT, 128},
    [MEMBER_PERMISSION] = {"hasNotificationPermission", FORM_BOOL, 0},
    [MEMBER_IS_TEST] = {"isTest", FORM_BOOL, 0},
    [MEMBER_PIANO_SEGMENTS] = {"pianoSegments", FORM_STRINGS, 0},
    [MEMBER_PIANO_USER_ID] = {"pianoUserId", FORM_TEXT, 256},
    [MEMBER_EMAIL] = {"emailAddress", FORM_TEXT, 320},
    [MEMBER_REFERRER] = {"referrer", FORM_TEXT, 2048},
    [MEMBER_PATHNAME] = {"pathname", FORM_TEXT, 2048},
    [MEMBER_VISITS] = {"visits", FORM_INT, 0},
    [MEMBER_CLICKED_DATES] = {"clickedDates", FORM_STRINGS, 0},
    [MEMBER_FCM_ID] = {"fcmId", FORM_TEXT, 128},
    [MEMBER_HMS_ID] = {"hmsId", FORM_TEXT, 128},
    [MEMBER_LIVE_ACTIVITY_ID] = {"iosLiveActivityId", FORM_TEXT, 256},
    [MEMBER_FCM_TOKEN] = {"fcmToken", FORM_TEXT, 4096},
    [MEMBER_HMS_TOKEN] = {"hmsToken", FORM_TEXT, 4096},
    [MEMBER_ADM_TOKEN] = {"admToken", FORM_TEXT, 4096},
    [MEMBER_APNS_TOKEN] = {"apnsToken", FORM_TEXT, 4096},
    [MEMBER_ENDPOINT] = {"endpoint", FORM_TEXT, 4096},
    [MEMBER_PUBLIC_KEY] = {"publicKey", FORM_TEXT, 1024},
    [MEMBER_AUTH_SECRET] = {"authSecret", FORM_TEXT, 1024},
    [MEMBER_LIVE_ACTIVITY_TOKEN] = {"iosLiveActivityToken", FORM_TEXT, 4096},
};

#define LIST_TEXT_MAX 256 /* bytes of a string in a list */

/* What a push goes to; the first one that is known stands for the device. Secrets only:
 * whoever names one is told the subscription's id. */
static const enum member identities[] = {MEMBER_FCM_TOKEN, MEMBER_HMS_TOKEN,
                                         MEMBER_ADM_TOKEN, MEMBER_APNS_TOKEN,
                                         MEMBER_ENDPOINT};

const char *
member_name(enum member member)
{
    assert((unsigned)member < MEMBERS);
    return members[member].name;
}

bool
member_is_secret(enum member member)
{
    return member >= MEMBER_FIRST_SECRET;
}

bool
member_is_told(enum member member)
{
    return member != MEMBER_TYPE && member != MEMBER_SEGMENTS &&
           member != MEMBER_IS_TEST && member != MEMBER_CLICKED_DATES;
}

bool
member_find(struct slice name, enum member *member)
{
    for (unsigned i = 0; i < MEMBERS; i++) {
        if (slice_is(name, members[i].name)) {
            *member = (enum member)i;
            return true;
        }
    }
    return false;
}

/* ---- values that come in ---- */

static enum member_given
refuse(const char **reason, const char *what)
{
    *reason = what;
    return MEMBER_REFUSED;
}

/* A string as it goes into canonical JSON, of at most max bytes. */
static enum member_given
text_canonical(const struct json_doc *doc, const struct json_token *value, size_t max,
               struct buf *out, const char **reason)
{
    struct buf text;

    /* Room for its escapes too: what they mean counts, not how they are written. */
    buf_init(&text, json_string_raw(doc, value).n);
    int rc = json_string_add(doc, value, &text);
    bool longer = rc == 0 && text.n > max;
    bool nul = rc == 0 && text.n && memchr(text.p, '\0', text.n);
    if (rc == 0 && !longer && !nul) {
        buf_addc(out, '"');
        json_escape(out, text.p ? buf_slice(&text) : SLICE(""));
        buf_addc(out, '"');
    }
    buf_fini(&text);
    if (longer)
        return refuse(reason, "is too long");
    if (nul)
        return refuse(reason, "must not hold U+0000");
    return rc != 0 || out->failed ? MEMBER_NO_MEMORY : MEMBER_GIVEN;
}

static bool
is_scalar(const struct json_token *value)
{
    return value->type == JSON_NUMBER || value->type == JSON_TRUE ||
           value->type == JSON_FALSE;
}

static enum member_given
raw_canonical(const struct json_doc *doc, const struct json_token *value, size_t max,
              const char *quote, struct buf *out, const char **reason)
{
    struct slice raw = json_raw(doc, value);

    if (raw.n > max)
        return refuse(reason, "is too long");
    buf_adds(out, quote);
    buf_add(out, raw.p, raw.n);
    return buf_adds(out, quote) == 0 ? MEMBER_GIVEN : MEMBER_NO_MEMORY;
}

static enum member_given
int_canonical(const struct json_doc *doc, const struct json_token *value,
              struct buf *out, const char **reason)
{
    static const char what[] = "must be a whole number from 0 to 2000000000";
    int64_t number = 0;

    if (value->type == JSON_STRING) {
        struct slice digits = json_string_raw(doc, value);
        bool ok = digits.n >= 1 && digits.n <= 10;
        for (size_t i = 0; ok && i < digits.n; i++) {
            ok = digits.p[i] >= '0' && digits.p[i] <= '9';
            number = number * 10 + (digits.p[i] - '0');
        }
        if (!ok)
            return refuse(reason, what);
    } else if (value->type != JSON_NUMBER || !json_int(doc, value, &number)) {
        return refuse(reason, what);
    }
    if (number < 0 || number > TOPICS_VERSION_MAX)
        return refuse(reason, what);
    return buf_addf(out, "%lld", (long long)number) == 0 ? MEMBER_GIVEN
                                                         : MEMBER_NO_MEMORY;
}

/* The list so far, closed: for looking into it while it grows. */
static bool
grown_has(const struct buf *out, size_t begin, struct slice element)
{
    struct slice rest = {out->p + begin, out->n - begin};
    struct slice one;

    while (canonical_element(&rest, &one))
        if (slice_eq(one, element))
            return true;
    return false;
}

static const char *const list_texts[] = {
    [FORM_IDS] = "must be an array of ids",
    [FORM_STRINGS] = "must be an array of strings",
    [FORM_ATTRIBUTES] = "must be an array of strings, numbers, true and false",
};

/* An element that the list has already is left out. */
static enum member_given
element_add(enum form form, const struct json_doc *doc, const struct json_token *value,
            size_t begin, struct buf *out, const char **reason)
{
    size_t mark = out->n;
    bool first = out->p[mark - 1] == '[';
    enum member_given given = MEMBER_GIVEN;

    if (!first)
        buf_addc(out, ',');
    size_t at = out->n;
    if (value->type == JSON_STRING)
        given = text_canonical(doc, value, LIST_TEXT_MAX, out, reason);
    else if (form == FORM_ATTRIBUTES && is_scalar(value))
        given = raw_canonical(doc, value, LIST_TEXT_MAX, "", out, reason);
    else
        return refuse(reason, list_texts[form]);
    if (given != MEMBER_GIVEN)
        return given;
    struct slice element = {out->p + at, out->n - at};
    if (form == FORM_IDS && !id_valid((struct slice){element.p + 1, element.n - 2}))
        return refuse(reason, "must be ids: 1 to 64 of A-Z a-z 0-9 _ . -");

    /* Looked for in what stood there before. */
    size_t n = out->n;
    out->n = mark;
    bool known = grown_has(out, begin, element);
    if (!known)
        out->n = n;
    return MEMBER_GIVEN;
}

static enum member_given
list_canonical(enum form form, const struct json_doc *doc,
               const struct json_token *value, struct buf *out, const char **reason)
{
    size_t begin = out->n;

    if (value->type != JSON_ARRAY)
        return refuse(reason, list_texts[form]);
    if (value->count > SUBSCRIPTION_LIST_MAX)
        return refuse(reason, "may have at most 500 elements");
    if (buf_addc(out, '[') != 0)
        return MEMBER_NO_MEMORY;
    const struct json_token *element = json_first(doc, value);
    for (; element; element = json_after(doc, value, element)) {
        enum member_given given = element_add(form, doc, element, begin, out, reason);
        if (given != MEMBER_GIVEN)
            return given;
    }
    return buf_addc(out, ']') == 0 ? MEMBER_GIVEN : MEMBER_NO_MEMORY;
}

enum member_given
attribute_canonical(const struct json_doc *doc, const struct json_token *value,
                    struct buf *out, const char **reason)
{
    size_t begin = out->n;
    enum member_given given;

    if (value->type == JSON_NULL)
        return MEMBER_LEFT;
    if (value->type == JSON_STRING)
        given = text_canonical(doc, value, ATTRIBUTE_VALUE_MAX, out, reason);
    else if (value->type == JSON_ARRAY)
        given = list_canonical(FORM_ATTRIBUTES, doc, value, out, reason);
    else if (is_scalar(value))
        given = raw_canonical(doc, value, LIST_TEXT_MAX, "", out, reason);
    else
        return refuse(reason, "must be a string, a number, true or false, or an array "
                              "of these");
    if (given == MEMBER_GIVEN && out->n - begin > ATTRIBUTE_VALUE_MAX)
        return refuse(reason, "may have at most 16 KiB");
    return given;
}

static enum member_given
attributes_canonical(const struct json_doc *doc, const struct json_token *object,
                     struct buf *out, const char **reason)
{
    bool any = false;

    if (object->type != JSON_OBJECT)
        return refuse(reason, "must be an object: an attribute's id and its value");
    if (object->count > SUBSCRIPTION_ATTRIBUTES_MAX)
        return refuse(reason, "may have at most 200 attributes");
    buf_addc(out, '{');
    const struct json_token *key = json_first(doc, object);
    while (key) {
        const struct json_token *value = json_after(doc, object, key);
        struct slice name = json_string_raw(doc, key);
        size_t mark = out->n;
        if (key->escaped || !id_valid(name))
            return refuse(reason, "an attribute's id is 1 to 64 of A-Z a-z 0-9 _ . -");
        buf_addf(out, "%s\"%.*s\":", any ? "," : "", (int)name.n, name.p);
        enum member_given given = attribute_canonical(doc, value, out, reason);
        if (given == MEMBER_LEFT)
            out->n = mark;
        else if (given != MEMBER_GIVEN)
            return given;
        any = any || given == MEMBER_GIVEN;
        key = json_after(doc, object, value);
    }
    return buf_addc(out, '}') == 0 ? MEMBER_GIVEN : MEMBER_NO_MEMORY;
}

enum member_given
member_canonical(enum member member, const struct json_doc *doc,
                 const struct json_token *value, struct buf *out, const char **reason)
{
    enum form form = members[member].form;
    size_t max = members[member].max_bytes;

    if (value->type == JSON_NULL)
        return MEMBER_LEFT;
    switch (form) {
    case FORM_INT:
        return int_canonical(doc, value, out, reason);
    case FORM_BOOL:
        if (value->type != JSON_TRUE && value->type != JSON_FALSE)
            return refuse(reason, "must be true or false");
        return raw_canonical(doc, value, 8, "", out, reason);
    case FORM_IDS:
    case FORM_STRINGS:
        return list_canonical(form, doc, value, out, reason);
    case FORM_ATTRIBUTES:
        return attributes_canonical(doc, value, out, reason);
    case FORM_TEXT:
        break;
    }
    if (is_scalar(value))
        return raw_canonical(doc, value, max, "\"", out, reason);
    if (value->type != JSON_STRING)
        return refuse(reason, "must be a string");
    return text_canonical(doc, value, max, out, reason);
}

/* ---- the whole ---- */

bool
subscription_read(struct subscription *subscription, struct json_doc *scratch,
                  const struct subscription_row *row)
{
    struct json_error error;
    unsigned expected = 0;
    struct subscription fresh = {
        .number = row->number,
        .channel = row->channel,
        .created_ms = row->created_ms,
        .synced_ms = row->synced_ms,
        .inactive = row->inactive,
    };
    if (row->id.n > ID_MAX ||
        json_parse(scratch, row->members.p, row->members.n, &error) != 0 ||
        scratch->tokens[0].type != JSON_OBJECT)
        return false;
    memcpy(fresh.id, row->id.p, row->id.n);

    const struct json_token *root = &scratch->tokens[0];
    const struct json_token *key = json_first(scratch, root);
    while (key) { /* in the order of the table, as they were written */
        const struct json_token *value = json_after(scratch, root, key);
        struct slice name = json_string_raw(scratch, key);
        while (expected < MEMBERS && !slice_is(name, members[expected].name))
            expected++;
        if (expected == MEMBERS)
            return false;
        fresh.member[expected++] = json_raw(scratch, value);
        key = json_after(scratch, root, value);
    }
    if (!fresh.member[MEMBER_TOPICS].p)
        fresh.member[MEMBER_TOPICS] = SLICE("[]");
    *subscription = fresh;
    return true;
}

uint64_t
subscription_token(const struct subscription *subscription)
{
    uint8_t hash[SHA256_BYTES];
    uint64_t token = 0;

    for (size_t i = 0; i < ARRAY_LEN(identities); i++) {
        struct slice value = subscription->member[identities[i]];
        if (!value.p || value.n <= 2) /* "" is none */
            continue;
        sha256(hash, value.p, value.n);
        memcpy(&token, hash, sizeof(token));
        /* A positive number that also says what kind it is. */
        return (token & (UINT64_MAX >> 8)) | (uint64_t)(i + 1) << 56;
    }
    return 0;
}

int
subscription_write(struct subscription_row *row, struct buf *out,
                   const struct subscription *subscription)
{
    struct json_out json;

    buf_reset(out);
    json_out_init(&json, out);
    json_object(&json, NULL);
    for (unsigned i = 0; i < MEMBERS; i++)
        if (subscription->member[i].p)
            json_raw_out(&json, members[i].name, subscription->member[i]);
    json_object_end(&json);
    *row = (struct subscription_row){
        .number = subscription->number,
        .channel = subscription->channel,
        .id = slice_of(subscription->id),
        .created_ms = subscription->created_ms,
        .synced_ms = subscription->synced_ms,
        .inactive = subscription->inactive,
        .token = subscription->inactive ? 0 : subscription_token(subscription),
        .members = out->p ? buf_slice(out) : SLICE(""),
    };
    return out->failed;
}

int64_t
subscription_topics_version(const struct subscription *subscription)
{
    struct slice text = subscription->member[MEMBER_TOPICS_VERSION];
    int64_t version = 0;

    for (size_t i = 0; i < text.n; i++)
        version = version * 10 + (text.p[i] - '0');
    return version;
}

void
subscription_show(struct json_out *json, const struct subscription *subscription,
                  const char *channel, bool secrets)
{
    json_str(json, "_id", subscription->id);
    json_str(json, "channel", channel);
    json_bool(json, "inactive", subscription->inactive);
    json_time(json, "createdAt", subscription->created_ms);
    json_time(json, "syncedAt", subscription->synced_ms);
    for (unsigned i = 0; i < MEMBERS; i++)
        if (subscription->member[i].p && (secrets || !member_is_secret(i)))
            json_raw_out(json, members[i].name, subscription->member[i]);
}
