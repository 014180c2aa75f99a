#include "cli/doctor.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/json_out.h"
#include "cli/color.h"
#include "cli/table.h"

#define OUTPUT_MAX ((size_t)1 << 20)

/* Each says nothing, or one thing or two. */
static void (*const checks[])(struct doctor *doctor) = {
    check_server, check_version, check_certificate, check_key,    check_clock,
    check_ready,  check_metrics, check_threads,     check_disk,   check_kept,
    check_files,  check_backlog, check_webhooks,    check_folder, check_keys,
    check_store,  check_room,
};

static const char *const state_names[FINDING_STATES] = {
    [FINDING_OK] = "ok",
    [FINDING_UNKNOWN] = "unknown",
    [FINDING_WARNING] = "warning",
    [FINDING_PROBLEM] = "problem",
};

/* ---- what checks use ---- */

void
doctor_say(struct doctor *doctor, const char *check, enum finding_state state,
           const char *next, const char *fmt, ...)
{
    va_list args;

    if (doctor->n == FINDINGS_MAX)
        return;
    struct finding *finding = &doctor->findings[doctor->n++];
    *finding = (struct finding){.check = check, .state = state};
    va_start(args, fmt);
    vsnprintf(finding->text, sizeof(finding->text), fmt, args);
    va_end(args);
    for (char *p = finding->text; *p; p++)
        *p = *p == '\n' ? ' ' : *p;
    snprintf(finding->next, sizeof(finding->next), "%s", next ? next : "");
}

bool
doctor_is_known(const struct doctor *doctor)
{
    return doctor->me.status == 200 && doctor->known.n > 0;
}

void
doctor_member(const struct doctor *doctor, const char *name, char *out, size_t cap)
{
    const struct json_doc *doc = &doctor->known;
    const struct json_token *value = json_member(doc, &doc->tokens[0], name);
    struct slice text = {0};

    if (value && value->type == JSON_STRING)
        text = json_string_raw(doc, value);
    snprintf(out, cap, "%.*s", (int)text.n, text.n ? text.p : "");
}

bool
doctor_metric(const struct doctor *doctor, const char *name, double *out)
{
    size_t n = strlen(name);
    const char *at = doctor->metrics.status == 200 ? doctor->metrics.body.p : NULL;

    for (; at && *at; at += strcspn(at, "\n"), at += *at == '\n') {
        if (strncmp(at, name, n) == 0 && at[n] == ' ') {
            *out = strtod(at + n, NULL);
            return true;
        }
    }
    return false;
}

/* ---- saying it ---- */

static void
put_clean(const char *text)
{
    struct buf clean;

    buf_init(&clean, OUTPUT_MAX);
    text_add_clean(&clean, slice_of(text), NULL);
    fputs(clean.n ? clean.p : "", stdout);
    buf_fini(&clean);
}

static void
say(const struct doctor *doctor)
{
    for (size_t i = 0; i < doctor->n; i++) {
        const struct finding *finding = &doctor->findings[i];
        const char *state = state_names[finding->state];
        enum paint paint = color_of_word(slice_of(state));
        printf("%s%-7s%s  %-11s  ", color_begin(stdout, paint), state,
               color_end(stdout, paint), finding->check);
        put_clean(finding->text);
        fputs(finding->next[0] ? "; " : "", stdout);
        put_clean(finding->next);
        putchar('\n');
    }
}

static void
say_json(const struct doctor *doctor, bool ok)
{
    struct json_out json;
    struct buf out;

    buf_init(&out, OUTPUT_MAX);
    json_out_init(&json, &out);
    json_object(&json, NULL);
    json_bool(&json, "ok", ok);
    json_array(&json, "checks");
    for (size_t i = 0; i < doctor->n; i++) {
        const struct finding *finding = &doctor->findings[i];
        json_object(&json, NULL);
        json_str(&json, "check", finding->check);
        json_str(&json, "state", state_names[finding->state]);
        json_str(&json, "text", finding->text);
        json_str(&json, "next", finding->next[0] ? finding->next : NULL);
        json_object_end(&json);
    }
    json_array_end(&json);
    json_object_end(&json);
    fwrite(out.p, 1, out.n, stdout);
    putchar('\n');
    buf_fini(&out);
}

/* ---- the command ---- */

/* The one that was named, or the default if it is there. */
static const char *
folder_to_check(const struct command_line *line)
{
    const char *data = option_text(&line->options, OPTION_KEY_DATA);

    if (option_given(&line->options, OPTION_KEY_DATA))
        return data;
    return access(data, F_OK) == 0 ? data : NULL;
}

int
doctor_run(const struct command_line *line)
{
    struct doctor doctor = {
        .line = line,
        .url = option_text(&line->options, OPTION_URL),
        .data = folder_to_check(line),
    };
    bool ok = true;

    reply_init(&doctor.me);
    reply_init(&doctor.ready);
    reply_init(&doctor.metrics);
    json_init(&doctor.known);
    doctor_ask(&doctor);
    for (size_t i = 0; i < ARRAY_LEN(checks); i++)
        checks[i](&doctor);
    for (size_t i = 0; i < doctor.n; i++)
        ok &= doctor.findings[i].state != FINDING_PROBLEM;
    if (option_on(&line->options, OPTION_JSON))
        say_json(&doctor, ok);
    else
        say(&doctor);
    client_close(doctor.client);
    json_fini(&doctor.known);
    reply_fini(&doctor.metrics);
    reply_fini(&doctor.ready);
    reply_fini(&doctor.me);
    return ok ? DONE : FAILED;
}
