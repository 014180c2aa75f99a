/* Webhooks that fail, and those that the server has disabled. */
#include <stdio.h>

#include "cli/doctor.h"

#define PAGES_MAX  20 /* requests: somebody waits */
#define PATH_LONG  512
#define BY_REQUEST "by request"

struct survey {
    struct doctor *doctor;
    unsigned pages;
    uint64_t seen;
    uint64_t failing;
    uint64_t disabled; /* not by a person */
    char since[64];    /* of the one that fails longest */
    char worst[128];   /* its id */
    char where[128];   /* its channel */
    char stopped[128]; /* one that was disabled */
    char stopped_at[128];
    bool cut; /* there are more than were looked at */
};

static void
copy_text(char *out, size_t cap, const struct json_doc *doc,
          const struct json_token *object, const char *name)
{
    const struct json_token *value = json_member(doc, object, name);
    struct slice text = {0};

    if (value && value->type == JSON_STRING)
        text = json_string_raw(doc, value);
    snprintf(out, cap, "%.*s", (int)text.n, text.n ? text.p : "");
}

static void
see_webhook(struct survey *survey, const struct json_doc *doc,
            const struct json_token *row, const char *channel)
{
    char since[64], reason[64], id[128];

    copy_text(since, sizeof(since), doc, row, "failingSince");
    copy_text(reason, sizeof(reason), doc, row, "disabledReason");
    copy_text(id, sizeof(id), doc, row, "_id");
    survey->seen++;
    if (reason[0] && strcmp(reason, BY_REQUEST) != 0) {
        survey->disabled++;
        snprintf(survey->stopped, sizeof(survey->stopped), "%s", id);
        snprintf(survey->stopped_at, sizeof(survey->stopped_at), "%s", channel);
    } else if (since[0] && !reason[0]) {
        bool longest = survey->failing++ == 0 || strcmp(since, survey->since) < 0;
        if (!longest)
            return;
        snprintf(survey->since, sizeof(survey->since), "%s", since);
        snprintf(survey->worst, sizeof(survey->worst), "%s", id);
        snprintf(survey->where, sizeof(survey->where), "%s", channel);
    }
}

/* One page of a list; `next` becomes the cursor of the next one, or "". */
static bool
read_page(struct survey *survey, const char *list, struct json_doc *doc,
          struct reply *reply, char *next)
{
    struct buf path;
    struct err err = {0};
    bool ok = false;

    survey->cut |= survey->pages == PAGES_MAX;
    if (survey->pages == PAGES_MAX)
        return false;
    survey->pages++;
    buf_init(&path, CLIENT_PATH_MAX);
    buf_addf(&path, "%s?limit=200", list);
    path_add_query(&path, "cursor", *next ? next : NULL);
    *next = '\0';
    if (!path.failed &&
        client_call(survey->doctor->client, "GET", path.p, NULL, (struct slice){0},
                    reply, &err) == 0 &&
        reply_parse(reply, doc, &err) == 0) {
        copy_text(next, PATH_LONG, doc, &doc->tokens[0], "nextCursor");
        ok = json_member(doc, &doc->tokens[0], "data");
    }
    buf_fini(&path);
    return ok;
}

static void
survey_list(struct survey *survey, const char *list, const char *channel)
{
    struct json_doc doc;
    struct reply reply;
    char next[PATH_LONG] = "";
    bool more;

    json_init(&doc);
    reply_init(&reply);
    do {
        more = read_page(survey, list, &doc, &reply, next);
        if (!more)
            break;
        const struct json_token *data = json_member(&doc, &doc.tokens[0], "data");
        for (const struct json_token *row = json_first(&doc, data); row;
             row = json_after(&doc, data, row)) {
            char id[128];
            struct buf path;
            if (channel) {
                see_webhook(survey, &doc, row, channel);
                continue;
            }
            copy_text(id, sizeof(id), &doc, row, "_id");
            buf_init(&path, CLIENT_PATH_MAX);
            buf_adds(&path, "/v1/channels/");
            path_add_escaped(&path, id);
            buf_adds(&path, "/webhooks");
            survey_list(survey, path.p, id);
            buf_fini(&path);
        }
    } while (*next);
    reply_fini(&reply);
    json_fini(&doc);
}

static void
say_failing(struct survey *survey)
{
    char next[FINDING_TEXT];

    snprintf(next, sizeof(next),
             "see why: pushwire call list --webhook %s --channel %s --state waiting",
             survey->worst, survey->where);
    doctor_say(survey->doctor, "webhooks", FINDING_WARNING, next,
               "%llu of %llu%s fail, %s of the channel %s since %.16s",
               (unsigned long long)survey->failing, (unsigned long long)survey->seen,
               survey->cut ? " or more" : "", survey->worst, survey->where,
               survey->since);
}

static void
say_disabled(struct survey *survey)
{
    char next[FINDING_TEXT];

    snprintf(next, sizeof(next),
             "mend the receiver, then pushwire webhook enable %s --channel %s",
             survey->stopped, survey->stopped_at);
    doctor_say(survey->doctor, "webhooks", FINDING_WARNING, next,
               "%llu of %llu%s were disabled because they failed, and hold their calls",
               (unsigned long long)survey->disabled, (unsigned long long)survey->seen,
               survey->cut ? " or more" : "");
}

void
check_webhooks(struct doctor *doctor)
{
    struct survey survey = {.doctor = doctor};
    char role[32];

    if (!doctor_is_known(doctor))
        return;
    doctor_member(doctor, "role", role, sizeof(role));
    if (strcmp(role, "ingest") == 0) {
        doctor_say(doctor, "webhooks", FINDING_UNKNOWN, NULL,
                   "this key may not look at them");
        return;
    }
    survey_list(&survey, "/v1/channels", NULL);
    if (survey.failing)
        say_failing(&survey);
    if (survey.disabled)
        say_disabled(&survey);
    if (!survey.failing && !survey.disabled)
        doctor_say(doctor, "webhooks", FINDING_OK, NULL, "%llu%s, none fails",
                   (unsigned long long)survey.seen, survey.cut ? " or more" : "");
}
