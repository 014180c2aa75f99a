/* Twenty thousand random changes, each also made by a model: what docs/registry.md
 * says, once more, with sets of numbers in place of JSON. And a receiver who hears of
 * the events alone knows topics, attributes and who is there. */

#include "base/timefmt.h"
#include "change_world.h"

#define SEED         20240304
#define CHANGES_MADE 20000

#define TOPICS   6
#define TAGS     4
#define NAMES    3 /* of attributes */
#define DEVICES  5 /* push tokens */
#define PUSHES   3 /* notifications; the last one is the chat */
#define ACTIONS  3 /* of a click; the first one is none */
#define PLACES   3 /* languages, countries, platforms */
#define UNKNOWN  (-1)
#define FOR_EVER INT64_MAX

#define TOPIC    "t"
#define TAG      "g"
#define DEVICE   "token-"
#define PLATFORM "p"
#define LANGUAGE "l"
#define COUNTRY  "C"

static const char *const names[NAMES] = {"user_id", "a.b", "z"};
static const char *const pushes[PUSHES] = {"n1", "n2", "chat"};
static const char *const actions[ACTIONS] = {NULL, "0", "open"};

/* As they are kept, and otherwise as a client may write them. */
static const char *const values[][2] = {
    {"\"x\"", "\"\\u0078\""},
    {"\"a,b]\"", "\"a,b\\u005D\""},
    {"\"q\\\"}\"", "\"q\\u0022}\""},
    {"\"\\\\\"", "\"\\u005c\""},
    {"7", " 7 "},
    {"\"7\"", "\"\\u0037\""},
    {"true", " true"},
};
#define VALUES ARRAY_LEN(values)

/* ---- the model ---- */

struct value {
    bool there, list;
    unsigned char n, of[VALUES];
};

struct model {
    bool used, active;
    unsigned topics, tags; /* a bit each */
    struct value attributes[NAMES];
    int version, device, platform, language, country;
    msec_t created_ms, synced_ms;
    unsigned clicks;
    msec_t reported_ms[PUSHES][1 + ACTIONS]; /* the delivery, and the clicks */
};

struct request {
    enum change_kind kind;
    char id[ID_MAX + 1];
    unsigned topics, tags;
    bool has_topics, has_tags;
    struct value attributes[NAMES];
    unsigned cleared;
    int version, device, platform, language, country, hint_language, hint_country;
    unsigned topic, tag, name, push, action;
    struct value value;
    msec_t created_ms, synced_ms;
    bool inactive, silent;
};

static bool
value_has(const struct value *value, unsigned one)
{
    for (unsigned i = 0; i < value->n; i++)
        if (value->of[i] == one)
            return true;
    return false;
}

static bool
value_eq(const struct value *a, const struct value *b)
{
    return a->there == b->there && (!a->there || (a->list == b->list && a->n == b->n &&
                                                  memcmp(a->of, b->of, a->n) == 0));
}

static bool
all_eq(const struct value a[NAMES], const struct value b[NAMES])
{
    for (unsigned i = 0; i < NAMES; i++)
        if (!value_eq(&a[i], &b[i]))
            return false;
    return true;
}

static bool
any_there(const struct value attributes[NAMES])
{
    for (unsigned i = 0; i < NAMES; i++)
        if (attributes[i].there)
            return true;
    return false;
}

static void
value_push(struct value *value, unsigned one)
{
    if (value->there && value_has(value, one))
        return;
    if (!value->there)
        value->n = 0;
    value->there = value->list = true;
    value->of[value->n++] = (unsigned char)one;
}

static void
value_pull(struct value *value, unsigned one)
{
    unsigned n = 0;

    if (!value->there || !value_has(value, one))
        return;
    value->there = value->list;
    for (unsigned i = 0; i < value->n; i++)
        if (value->of[i] != one)
            value->of[n++] = value->of[i];
    value->n = (unsigned char)n;
}

static void
model_merge(struct model *m, const struct request *r)
{
    if (r->has_tags)
        m->tags = r->tags;
    if (r->device != UNKNOWN)
        m->device = r->device;
    for (unsigned i = 0; i < NAMES; i++) {
        if (r->attributes[i].there)
            m->attributes[i] = r->attributes[i];
        if (r->cleared & 1u << i)
            m->attributes[i].there = false;
    }
    if (r->platform != UNKNOWN)
        m->platform = r->platform;
    if (r->language != UNKNOWN)
        m->language = r->language;
    if (r->country != UNKNOWN)
        m->country = r->country;
}

static void
model_sync(struct model *m, const struct request *r)
{
    bool old = m->active && r->version != UNKNOWN && r->version < m->version;

    model_merge(m, r);
    if (r->platform != UNKNOWN && r->language == UNKNOWN && r->hint_language != UNKNOWN)
        m->language = r->hint_language;
    if (r->platform != UNKNOWN && r->country == UNKNOWN && r->hint_country != UNKNOWN)
        m->country = r->hint_country;
    if (r->has_topics && !old) {
        m->topics = r->topics;
        if (r->version != UNKNOWN)
            m->version = r->version;
    }
    m->active = true;
}

static void
two_ahead(struct model *m)
{
    m->version = (m->version == UNKNOWN ? 0 : m->version) + 2;
}

static void
model_edit(struct model *m, const struct request *r)
{
    model_merge(m, r);
    if (r->has_topics && r->topics != m->topics) {
        m->topics = r->topics;
        two_ahead(m);
    }
}

static void
model_opt_out(struct model *m)
{
    m->active = false;
    m->topics = 0;
    m->device = UNKNOWN;
}

static void
model_replace(struct model *m, const struct request *r, bool known)
{
    unsigned topics = r->has_topics ? r->topics : 0;

    if (topics != m->topics && known && r->version == UNKNOWN)
        two_ahead(m);
    if (r->version != UNKNOWN)
        m->version = r->version;
    m->topics = topics;
    m->tags = r->has_tags ? r->tags : 0;
    memcpy(m->attributes, r->attributes, sizeof(m->attributes));
    if (r->device != UNKNOWN)
        m->device = r->device;
    m->platform = r->platform;
    m->language = r->language;
    m->country = r->country;
    m->clicks = 0;
    m->active = true;
    if (r->inactive)
        model_opt_out(m);
}

/* Whether it counts. */
static bool
model_report(struct model *m, const struct request *r, msec_t now_ms)
{
    bool click = r->kind == CHANGE_CLICKED;
    msec_t *before_ms = &m->reported_ms[r->push][click ? 1 + r->action : 0];
    bool for_ever = !click && r->push != PUSHES - 1;

    if (*before_ms != FOR_EVER && (for_ever || now_ms < *before_ms + 10000))
        return false;
    *before_ms = now_ms;
    if (click && m->active && m->clicks < 20)
        m->clicks++;
    return true;
}

static void
model_begin(struct model *m, msec_t now_ms)
{
    *m = (struct model){
        .used = true,
        .version = UNKNOWN,
        .device = UNKNOWN,
        .platform = UNKNOWN,
        .language = UNKNOWN,
        .country = UNKNOWN,
        .created_ms = now_ms,
    };
    for (unsigned i = 0; i < PUSHES; i++)
        for (unsigned k = 0; k <= ACTIONS; k++)
            m->reported_ms[i][k] = FOR_EVER;
}

static bool
differs(const struct model *a, const struct model *b)
{
    return a->topics != b->topics || a->tags != b->tags || a->version != b->version ||
           a->device != b->device || a->platform != b->platform ||
           a->language != b->language || a->country != b->country ||
           !all_eq(a->attributes, b->attributes);
}

/* 0 or E_NOT_FOUND; *counts: a report does. */
static int
model_apply(struct model *m, const struct request *r, msec_t now_ms, bool *counts)
{
    struct model was = *m;
    bool makes = r->kind == CHANGE_SYNC || r->kind == CHANGE_REPLACE;

    *counts = false;
    if (!m->used && !makes)
        return E_NOT_FOUND;
    if (change_is_report(r->kind)) {
        *counts = model_report(m, r, now_ms);
        return 0;
    }
    if (r->kind == CHANGE_OPT_OUT) {
        if (m->active)
            model_opt_out(m);
        return 0;
    }
    if (!m->active && !makes)
        return E_NOT_FOUND;
    if (!m->used)
        model_begin(m, now_ms);

    struct value *attribute = &m->attributes[r->name];
    switch ((int)r->kind) {
    case CHANGE_SYNC:
        model_sync(m, r);
        break;
    case CHANGE_EDIT:
        model_edit(m, r);
        break;
    case CHANGE_REPLACE:
        model_replace(m, r, was.used);
        if (r->created_ms)
            m->created_ms = r->created_ms;
        break;
    case CHANGE_TOPIC_ADD:
        m->topics |= 1u << r->topic;
        break;
    case CHANGE_TOPIC_REMOVE:
        m->topics &= ~(1u << r->topic);
        break;
    case CHANGE_TAG_ADD:
        m->tags |= 1u << r->tag;
        break;
    case CHANGE_TAG_REMOVE:
        m->tags &= ~(1u << r->tag);
        break;
    case CHANGE_ATTRIBUTE_SET:
        *attribute = r->value;
        break;
    case CHANGE_ATTRIBUTE_PUSH:
        value_push(attribute, r->value.of[0]);
        break;
    case CHANGE_ATTRIBUTE_PULL:
        value_pull(attribute, r->value.of[0]);
        break;
    default:
        attribute->there = false;
        break;
    }
    if (makes || differs(m, &was))
        m->synced_ms = r->synced_ms ? r->synced_ms : now_ms;
    return 0;
}

/* ---- what is told ---- */

struct told {
    enum event_type type;
    unsigned topics, added;
    struct value attributes[NAMES];
};

/* What must be told when what was has become what is. */
static size_t
model_tell(struct told told[OUTCOME_EVENTS_MAX], const struct model *was,
           const struct model *is)
{
    bool others = !all_eq(was->attributes, is->attributes);
    size_t n = 0;

    if (!is->active) {
        if (was->active)
            told[n++] = (struct told){.type = EVENT_OPT_OUT};
        return n;
    }
    if (!was->active) {
        told[n++] = (struct told){.type = EVENT_OPT_IN};
        if (is->topics)
            told[n++] =
                (struct told){.type = EVENT_UPDATE_TOPICS, .topics = is->topics};
        others = others || any_there(is->attributes);
    } else if (is->topics != was->topics) {
        told[n] = (struct told){.type = EVENT_UPDATE_TOPICS, .topics = is->topics};
        if ((was->topics & ~is->topics) == 0)
            told[n] = (struct told){.type = EVENT_TOPIC_ADDED,
                                    .topics = was->topics,
                                    .added = is->topics & ~was->topics};
        n++;
    }
    if (others) {
        told[n] = (struct told){.type = EVENT_ATTRIBUTE_UPDATE, .topics = is->topics};
        memcpy(told[n++].attributes, is->attributes, sizeof(is->attributes));
    }
    return n;
}

/* What a receiver knows of a subscription, who is called for every event in order. To
 * her an optIn is one of whom nothing is known yet. */
struct heard {
    bool active;
    unsigned topics;
    struct value attributes[NAMES];
};

static void
hear(struct heard *heard, const struct told *told)
{
    if (told->type == EVENT_OPT_IN)
        *heard = (struct heard){.active = true};
    else if (told->type == EVENT_OPT_OUT)
        heard->active = false;
    if (told->type == EVENT_OPT_OUT || told->type == EVENT_UPDATE_TOPICS)
        heard->topics = told->topics;
    else if (told->type == EVENT_TOPIC_ADDED)
        heard->topics = told->topics | told->added;
    else if (told->type == EVENT_ATTRIBUTE_UPDATE)
        memcpy(heard->attributes, told->attributes, sizeof(told->attributes));
}

/* ---- the race ---- */

struct race {
    struct world *w;
    struct rng *rng;
    struct model models[WORLD_SUBSCRIPTIONS];
    struct heard heard[WORLD_SUBSCRIPTIONS];
    /* Attributes were set, or nobody was told, of one that is away. */
    bool unheard[WORLD_SUBSCRIPTIONS];
    struct request request;
    struct buf members, value;
    size_t pushed; /* whose push was reported last, and what of it */
    unsigned push, action;
    unsigned step, made;
    /* how often each has happened */
    unsigned done[CHANGES], refused[CHANGES], told[EVENT_TYPES], nothing[CHANGES];
};

static struct race race;

#define expect(condition)                                                              \
    do {                                                                               \
        if (!(condition))                                                              \
            fail_msg("seed %d, change %u of kind %d: not %s", SEED, race.step,         \
                     race.request.kind, #condition);                                   \
    } while (0)

static unsigned
any(unsigned below)
{
    return (unsigned)rng_below(race.rng, below);
}

/* Mostly something. */
static int
any_or_unknown(unsigned below)
{
    return (int)any(below + 1) - 1;
}

/* ---- reading JSON into the model's terms ---- */

static unsigned
index_of(struct slice text, const char *prefix, unsigned n)
{
    char room[16];

    for (unsigned i = 0; i < n; i++) {
        snprintf(room, sizeof(room), "\"%s%u\"", prefix, i);
        if (slice_is(text, room))
            return i;
    }
    fail_msg("seed %d, change %u: %.*s", SEED, race.step, (int)text.n, text.p);
    return 0;
}

static unsigned
read_set(struct slice list, const char *prefix, unsigned n)
{
    struct slice one;
    unsigned set = 0;

    while (list.p && canonical_element(&list, &one)) {
        unsigned bit = 1u << index_of(one, prefix, n);
        expect(!(set & bit)); /* no element twice */
        set |= bit;
    }
    return set;
}

static int
read_index(struct slice text, const char *prefix, unsigned n)
{
    return text.p ? (int)index_of(text, prefix, n) : UNKNOWN;
}

static unsigned char
read_one(struct slice text)
{
    unsigned i = 0;
    while (i < VALUES && !slice_is(text, values[i][0]))
        i++;
    expect(i < VALUES);
    return (unsigned char)i;
}

static struct value
read_value(struct slice text)
{
    struct value value = {.there = true, .list = text.p[0] == '['};
    struct slice one;

    if (!value.list) {
        value.of[value.n++] = read_one(text);
        return value;
    }
    while (canonical_element(&text, &one)) {
        expect(value.n < VALUES);
        value.of[value.n++] = read_one(one);
    }
    return value;
}

static void
read_attributes(struct slice object, struct value attributes[NAMES])
{
    struct slice name, value;

    memset(attributes, 0, sizeof(struct value) * NAMES);
    while (object.p && canonical_member(&object, &name, &value)) {
        unsigned i = 0;
        while (i < NAMES && !slice_is(name, names[i]))
            i++;
        expect(i < NAMES && !attributes[i].there);
        attributes[i] = read_value(value);
    }
}

/* ---- writing what the model asks for as a client would ---- */

static void
write_name(const char *name)
{
    struct buf *out = &race.members;
    bool first = out->n == 0;
    buf_addf(out, "%s%s\"%s\":", first ? "{" : ",", any(8) ? "" : "\n ", name);
}

/* In any order, and sometimes twice. */
static void
write_set(const char *name, const char *prefix, unsigned set, unsigned n)
{
    struct buf *out = &race.members;
    unsigned begin = any(n), more = any(4) ? 0 : any(n);
    bool some = false;

    write_name(name);
    buf_addc(out, '[');
    for (unsigned i = 0; i < n + more; i++) {
        unsigned one = (begin + i) % n;
        if (!(set & 1u << one))
            continue;
        buf_addf(out, "%s\"%s%u\"", some ? "," : "", prefix, one);
        some = true;
    }
    buf_addc(out, ']');
}

static void
write_value(struct buf *out, const struct value *value)
{
    if (!value->list) {
        buf_adds(out, values[value->of[0]][any(2)]);
        return;
    }
    buf_addc(out, '[');
    for (unsigned i = 0; i < value->n; i++)
        buf_addf(out, "%s%s", i ? "," : "", values[value->of[i]][any(2)]);
    if (value->n && any(4) == 0)
        buf_addf(out, " , %s", values[value->of[any(value->n)]][0]);
    buf_addc(out, ']');
}

static void
write_attributes(const struct value attributes[NAMES])
{
    struct buf *out = &race.members;
    bool some = false;

    write_name("customAttributes");
    buf_addc(out, '{');
    for (unsigned i = 0; i < NAMES; i++) {
        if (!attributes[i].there && any(2))
            continue;
        buf_addf(out, "%s\"%s\":", some ? "," : "", names[i]);
        if (attributes[i].there)
            write_value(out, &attributes[i]);
        else
            buf_adds(out, "null");
        some = true;
    }
    buf_addc(out, '}');
}

static void
write_index(const char *name, const char *prefix, int i)
{
    if (i == UNKNOWN && any(2))
        return;
    write_name(name);
    if (i == UNKNOWN)
        buf_adds(&race.members, "null");
    else
        buf_addf(&race.members, "\"%s%d\"", prefix, i);
}

static const char *
write_members(const struct request *r)
{
    buf_reset(&race.members);
    if (r->has_topics)
        write_set("topics", TOPIC, r->topics, TOPICS);
    if (r->has_tags)
        write_set("tags", TAG, r->tags, TAGS);
    if (any_there(r->attributes) || any(2))
        write_attributes(r->attributes);
    if (r->version != UNKNOWN) {
        const char *quote = any(2) ? "\"" : "";
        write_name("topicsVersion");
        buf_addf(&race.members, "%s%d%s", quote, r->version, quote);
    }
    write_index("fcmToken", DEVICE, r->device);
    write_index("platformName", PLATFORM, r->platform);
    write_index("language", LANGUAGE, r->language);
    write_index("country", COUNTRY, r->country);
    buf_adds(&race.members, race.members.n ? "}" : "{}");
    expect(!race.members.failed);
    return race.members.p;
}

/* ---- random requests ---- */

static struct value
any_value(bool may_be_list)
{
    struct value value = {.there = true, .list = may_be_list && any(2)};
    unsigned n = value.list ? any(4) : 1;

    while (value.n < n) {
        unsigned one = any(VALUES);
        if (!value_has(&value, one))
            value.of[value.n++] = (unsigned char)one;
    }
    return value;
}

/* Whose push token this is; WORLD_SUBSCRIPTIONS = nobody's. */
static size_t
owner_of(int device)
{
    size_t at = 0;
    while (at < WORLD_SUBSCRIPTIONS && (device == UNKNOWN || !race.models[at].active ||
                                        race.models[at].device != device))
        at++;
    return at;
}

static size_t
free_place(void)
{
    size_t at = 0;
    while (at < WORLD_SUBSCRIPTIONS && race.models[at].used)
        at++;
    return at;
}

/* Lets go one that has opted out when there is no room for another one. */
static void
make_room(void)
{
    for (size_t i = 0; i < WORLD_SUBSCRIPTIONS; i++) {
        if (free_place() < WORLD_SUBSCRIPTIONS)
            return;
        if (race.models[i].active)
            continue;
        world_drop(race.w, i);
        race.models[i] = (struct model){0};
        race.heard[i] = (struct heard){0};
        race.unheard[i] = false;
    }
}

static void
any_members(struct request *r, const struct model *m)
{
    unsigned more = 1u << any(TOPICS);

    r->has_topics = any(2);
    r->topics = any(2) ? m->topics | more : any(2) ? m->topics : any(1u << TOPICS);
    if (r->has_topics && any(4))
        r->version = (m->used && m->version > 0 ? m->version - 1 : 0) + (int)any(3);
    r->has_tags = any(4) == 0;
    r->tags = any(1u << TAGS);
    for (unsigned i = 0; i < NAMES; i++)
        if (any(4) == 0)
            r->attributes[i] = any_value(true);
    r->platform = any_or_unknown(PLACES);
    r->language = any(2) ? UNKNOWN : any_or_unknown(PLACES);
    r->country = any(2) ? UNKNOWN : any_or_unknown(PLACES);
}

/* Says whom it is about by an id, or by an unknown one or none and perhaps the push
 * token. Returns whom that means. */
static size_t
any_sync(struct request *r, size_t at)
{
    r->device = any_or_unknown(DEVICES);
    r->hint_language = any_or_unknown(PLACES);
    r->hint_country = any_or_unknown(PLACES);
    if (race.models[at].used && any(4)) {
        memcpy(r->id, race.w->rows[at].id, sizeof(r->id));
        /* Two that have one token could not be told apart by it. */
        size_t owner = owner_of(r->device);
        if (owner < WORLD_SUBSCRIPTIONS && owner != at)
            r->device = UNKNOWN;
        return at;
    }
    snprintf(r->id, sizeof(r->id), "%s", any(2) ? "nobody" : "");
    size_t owner = owner_of(r->device);
    return owner < WORLD_SUBSCRIPTIONS ? owner : free_place();
}

static void
any_replace(struct request *r, size_t at)
{
    if (!race.models[at].used)
        snprintf(r->id, sizeof(r->id), "own-%u", race.made++);
    r->device = any_or_unknown(DEVICES);
    size_t owner = owner_of(r->device);
    if (owner < WORLD_SUBSCRIPTIONS && owner != at)
        r->device = UNKNOWN;
    r->inactive = any(4) == 0;
    r->silent = any(8) == 0;
    r->created_ms = any(4) ? 0 : WORLD_BEGIN + any(1000);
    r->synced_ms = any(4) ? 0 : WORLD_BEGIN + any(1000);
}

/* Often the same again. */
static size_t
any_push(struct request *r, size_t at)
{
    if (any(3) == 0) {
        at = race.pushed;
        r->push = race.push;
        r->action = race.action;
    }
    race.pushed = at;
    race.push = r->push;
    race.action = r->action;
    return at;
}

/* Returns whom it is about; WORLD_SUBSCRIPTIONS = there is no room for another one. */
static size_t
any_request(struct request *r)
{
    static const enum change_kind often[] = {CHANGE_SYNC, CHANGE_SYNC, CHANGE_SYNC,
                                             CHANGE_EDIT, CHANGE_REPLACE};
    size_t at = any(WORLD_SUBSCRIPTIONS);
    unsigned kind = any(CHANGES + ARRAY_LEN(often));

    make_room();
    *r = (struct request){
        .kind = kind < CHANGES ? (enum change_kind)kind : often[kind - CHANGES],
        .version = UNKNOWN,
        .device = UNKNOWN,
        .platform = UNKNOWN,
        .language = UNKNOWN,
        .country = UNKNOWN,
        .hint_language = UNKNOWN,
        .hint_country = UNKNOWN,
        .topic = any(TOPICS),
        .tag = any(TAGS),
        .name = any(NAMES),
        .push = any(PUSHES),
        .action = any(ACTIONS),
    };
    if (change_is_report(r->kind))
        at = any_push(r, at);
    snprintf(r->id, sizeof(r->id), "%s",
             race.models[at].used ? race.w->rows[at].id : "nobody");
    r->value = any_value(r->kind == CHANGE_ATTRIBUTE_SET);
    if (r->kind == CHANGE_ATTRIBUTE_SET && race.models[at].attributes[r->name].there &&
        any(4) == 0)
        r->value = race.models[at].attributes[r->name];
    if (r->kind == CHANGE_REPLACE && !race.models[at].used)
        at = free_place(); /* where the world puts it */
    if (r->kind == CHANGE_SYNC)
        at = any_sync(r, at);
    else if (r->kind == CHANGE_REPLACE)
        any_replace(r, at);
    if (at == WORLD_SUBSCRIPTIONS)
        return at;
    if (r->kind == CHANGE_SYNC || r->kind == CHANGE_EDIT || r->kind == CHANGE_REPLACE)
        any_members(r, &race.models[at]);
    if (r->kind == CHANGE_EDIT) {
        r->version = UNKNOWN; /* the customer's lists have none */
        for (unsigned i = 0; i < NAMES; i++)
            if (!r->attributes[i].there && any(8) == 0 &&
                __builtin_popcount(r->cleared) < 2)
                r->cleared |= 1u << i;
    }
    return at;
}

static int
ask_world(const struct request *r)
{
    char language[8], country[8], item[8];
    bool topic = r->kind == CHANGE_TOPIC_ADD || r->kind == CHANGE_TOPIC_REMOVE;
    bool tag = r->kind == CHANGE_TAG_ADD || r->kind == CHANGE_TAG_REMOVE;
    struct ask ask = {
        .kind = r->kind,
        .id = r->id,
        .members = write_members(r),
        .item = topic || tag ? item : names[r->name],
        .notification = pushes[r->push],
        .action = actions[r->action],
        .created_ms = r->created_ms,
        .synced_ms = r->synced_ms,
        .inactive = r->inactive,
        .silent = r->silent,
    };
    unsigned n_cleared = 0;

    snprintf(item, sizeof(item), "%c%u", topic ? 't' : 'g', topic ? r->topic : r->tag);
    snprintf(language, sizeof(language), "l%d", r->hint_language);
    snprintf(country, sizeof(country), "C%d", r->hint_country);
    if (r->hint_language != UNKNOWN)
        ask.language = language;
    if (r->hint_country != UNKNOWN)
        ask.country = country;
    for (unsigned i = 0; i < NAMES; i++)
        if (r->cleared & 1u << i)
            ask.cleared[n_cleared++] = names[i];
    buf_reset(&race.value);
    write_value(&race.value, &r->value);
    ask.value = race.value.p;
    return world_ask(race.w, &ask);
}

/* ---- comparing ---- */

static void
check_state(size_t at, struct model *m)
{
    struct subscription subscription;
    struct value attributes[NAMES];

    world_read(race.w, at, &subscription);
    const struct slice *member = subscription.member;
    /* Whether tags in another order are another list is nobody's business. */
    if (race.request.kind == CHANGE_EDIT && race.request.has_tags &&
        subscription.synced_ms == race.w->now_ms)
        m->synced_ms = race.w->now_ms;
    read_attributes(member[MEMBER_ATTRIBUTES], attributes);
    expect(subscription.inactive == !m->active);
    expect(read_set(member[MEMBER_TOPICS], TOPIC, TOPICS) == m->topics);
    expect(read_set(member[MEMBER_TAGS], TAG, TAGS) == m->tags);
    expect(all_eq(attributes, m->attributes));
    expect(member[MEMBER_TOPICS_VERSION].p
               ? subscription_topics_version(&subscription) == m->version
               : m->version == UNKNOWN);
    expect(read_index(member[MEMBER_FCM_TOKEN], DEVICE, DEVICES) == m->device);
    expect(read_index(member[MEMBER_PLATFORM_NAME], PLATFORM, PLACES) == m->platform);
    expect(read_index(member[MEMBER_LANGUAGE], LANGUAGE, PLACES) == m->language);
    expect(read_index(member[MEMBER_COUNTRY], COUNTRY, PLACES) == m->country);
    expect(subscription.created_ms == m->created_ms);
    expect(subscription.synced_ms == m->synced_ms);
    expect(list_count(member[MEMBER_CLICKED_DATES].p ? member[MEMBER_CLICKED_DATES]
                                                     : SLICE("[]")) == m->clicks);
    expect((race.w->rows[at].row.token != 0) == (m->device != UNKNOWN));
}

static struct told
read_event(size_t i)
{
    struct told told = {.type = race.w->outcome.events[i].type};
    struct world *w = race.w;

    world_check_event(w, i);
    world_parse(w, outcome_body(&w->outcome, i));
    told.topics = read_set(world_at(w, "subscription", "topics"), TOPIC, TOPICS);
    told.added = read_set(world_at(w, "newTopicsIds", NULL), TOPIC, TOPICS);
    read_attributes(world_at(w, "subscription", "customAttributes"), told.attributes);
    return told;
}

static void
check_time(const char *object, const char *name, msec_t ms)
{
    struct slice value = world_at(race.w, object, name);
    char text[TIME_TEXT], want[TIME_TEXT + 2];

    time_format(text, ms);
    snprintf(want, sizeof(want), "\"%s\"", text);
    expect(slice_is(value, want));
}

static void
check_events(size_t at, const struct model *was, const struct model *is)
{
    struct told want[OUTCOME_EVENTS_MAX];
    size_t n = race.request.silent ? 0 : model_tell(want, was, is);

    expect(race.w->outcome.n_events == n);
    for (size_t i = 0; i < n; i++) {
        struct told told = read_event(i);
        check_time("subscription", "createdAt", is->created_ms);
        check_time("subscription", "syncedAt", is->synced_ms);
        expect(told.type == want[i].type);
        expect(told.topics == want[i].topics);
        expect(told.added == want[i].added);
        expect(all_eq(told.attributes, want[i].attributes));
        hear(&race.heard[at], &told);
        race.told[told.type]++;
    }
    race.nothing[race.request.kind] += n == 0;
}

static void
check_report(bool counts)
{
    const struct request *r = &race.request;
    char id[ID_MAX + 2];

    expect(race.w->outcome.report == counts);
    expect(race.w->outcome.n_events == counts);
    race.nothing[r->kind] += !counts;
    if (!counts)
        return;
    struct told told = read_event(0);
    expect(told.type == (r->kind == CHANGE_CLICKED ? EVENT_CLICK : EVENT_DELIVERY));
    snprintf(id, sizeof(id), "\"%s\"", pushes[r->push]);
    expect(slice_is(world_at(race.w, "notification", "_id"), id));
    check_time("date", NULL, race.w->now_ms);
    race.told[told.type]++;
}

/* What was heard is what is. */
static void
check_heard(size_t at, const struct model *m)
{
    struct heard *heard = &race.heard[at];

    if (race.request.silent) {
        heard->active = m->active;
        heard->topics = m->topics;
        memcpy(heard->attributes, m->attributes, sizeof(m->attributes));
    }
    /* Of one that is away only that is told. */
    if (m->active)
        race.unheard[at] = false;
    else if (race.request.kind == CHANGE_REPLACE)
        race.unheard[at] = !race.request.silent;
    expect(heard->active == m->active);
    expect(heard->topics == m->topics);
    expect(race.unheard[at] || all_eq(heard->attributes, m->attributes));
}

static void
one_change(void)
{
    struct request *r = &race.request;
    size_t at = any_request(r);
    bool counts;

    if (at == WORLD_SUBSCRIPTIONS)
        return;
    race.w->now_ms += any(8) ? any(1000) : any(12000);
    struct model *m = &race.models[at], was = *m;
    int want = model_apply(m, r, race.w->now_ms, &counts);
    expect(ask_world(r) == want);
    if (want != 0) {
        race.refused[r->kind]++;
        return;
    }
    race.done[r->kind]++;
    expect(race.w->at == at);
    check_state(at, m);
    if (change_is_report(r->kind))
        check_report(counts);
    else
        check_events(at, &was, m);
    check_heard(at, m);
}

static void
random_changes_end_as_the_model_says_and_are_heard_of(void **state)
{
    struct rng_seeded seeded;

    rng_seeded_init(&seeded, SEED);
    race = (struct race){.w = *state, .rng = &seeded.rng};
    buf_init(&race.members, 1 << 16);
    buf_init(&race.value, 1 << 10);
    for (race.step = 0; race.step < CHANGES_MADE; race.step++)
        one_change();
    buf_fini(&race.members);
    buf_fini(&race.value);

    /* Everything has happened, and often. */
    for (unsigned kind = 0; kind < CHANGES; kind++) {
        bool makes = kind == CHANGE_SYNC || kind == CHANGE_REPLACE;
        if (race.done[kind] < 300 || (race.refused[kind] < 20 && !makes) ||
            race.nothing[kind] < 50)
            fail_msg("kind %u: %u done, %u of them without an event, %u refused", kind,
                     race.done[kind], race.nothing[kind], race.refused[kind]);
    }
    for (unsigned type = 0; type < EVENT_TYPES; type++)
        if (race.told[type] < 300)
            fail_msg("%s: %u times", event_type_name((enum event_type)type),
                     race.told[type]);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            random_changes_end_as_the_model_says_and_are_heard_of, world_setup,
            world_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
