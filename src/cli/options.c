#include "cli/options.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/iofd.h"
#include "base/mem.h"
#include "base/timefmt.h"
#include "cli/client.h"
#include "cli/value.h"

#define VARIABLE_PREFIX "PUSHWIRE_"

/* ---- values ---- */

static int
expected_range(const struct option *option, struct err *err)
{
    char from[VALUE_TEXT];
    char to[VALUE_TEXT];

    if (option->type == OPTION_SIZE) {
        value_format_size(from, option->min);
        value_format_size(to, option->max);
        return err_set(err, E_INVALID, "expected a size from %s to %s, as in 64KiB",
                       from, to);
    }
    if (option->type == OPTION_DURATION) {
        value_format_duration(from, option->min);
        value_format_duration(to, option->max);
        return err_set(err, E_INVALID,
                       "expected a duration from %s to %s, as in 500ms, 15s or 2min",
                       from, to);
    }
    return err_set(err, E_INVALID, "expected a %snumber from %lld to %lld",
                   option->type == OPTION_INT ? "whole " : "", (long long)option->min,
                   (long long)option->max);
}

static int
set_number(const struct option *option, const char *text, struct option_value *value,
           struct err *err)
{
    double decimal = 0;
    int64_t number = 0;
    bool ok;

    if (option->type == OPTION_DECIMAL) {
        ok = value_decimal(text, &decimal) && decimal >= (double)option->min &&
             decimal <= (double)option->max;
    } else {
        ok = option->type == OPTION_INT ? value_int(text, &number)
             : option->type == OPTION_SIZE
                 ? value_size(text, &number)
                 : value_duration(text, option->unit_ms, &number);
        ok = ok && number >= option->min && number <= option->max;
    }
    if (!ok)
        return expected_range(option, err);
    value->number = number;
    value->decimal = decimal;
    return 0;
}

static int
expected_word(const struct option *option, const char *text, struct err *err)
{
    struct nearest nearest;
    struct buf all;

    buf_init(&all, 200);
    nearest_init(&nearest, text);
    for (unsigned i = 0; option->word(i); i++) {
        buf_addf(&all, "%s%s", i ? ", " : "", option->word(i));
        nearest_try(&nearest, option->word(i));
    }
    err_set(err, E_INVALID, "expected %s %s%s%s%s",
            option->type == OPTION_WORDS ? "some of" : "one of", all.p,
            nearest.best ? "; did you mean " : "", nearest.best ? nearest.best : "",
            nearest.best ? "?" : "");
    buf_fini(&all);
    return E_INVALID;
}

static int
set_word(const struct option *option, const char *text, struct option_value *value,
         struct err *err)
{
    for (unsigned i = 0; option->word(i); i++) {
        if (strcmp(option->word(i), text) == 0) {
            value->number = i;
            return 0;
        }
    }
    return expected_word(option, text, err);
}

static int
set_words(const struct option *option, const char *text, struct option_value *value,
          struct err *err)
{
    char one[64];

    for (const char *at = text;; at++) {
        size_t n = strcspn(at, ",");
        snprintf(one, sizeof(one), "%.*s", (int)n, at);
        int rc = set_word(option, one, value, err);
        if (rc != 0)
            return rc;
        at += n;
        if (!*at)
            return 0;
    }
}

static int
set_time(const char *text, struct err *err)
{
    int64_t ignored;

    if (time_parse(slice_of(text), &ignored) || value_duration(text, 1000, &ignored))
        return 0;
    /* A time that the server takes for the beginning of all: it reads the rest. */
    if (strspn(text, "0123456789") == 4 && text[4] == '-' && strcmp(text, "1970") < 0)
        return 0;
    return err_set(
        err, E_INVALID,
        "expected a time as in 2024-03-04T09:50:51Z, or a duration as in 2h");
}

static int
set_address(const char *text, struct err *err)
{
    struct sockaddr_storage address;
    struct err why = {0};
    socklen_t n;
    int rc = addr_parse(text, &address, &n, &why);
    if (rc == 0)
        return 0;

    /* Its sentence begins with the text, which stands before this one already. */
    size_t own = strlen(text) + strlen("\"\": ");
    bool doubled = why.text[0] == '"' && strlen(why.text) > own &&
                   strncmp(why.text + 1, text, strlen(text)) == 0;
    return err_set(err, rc, "%s", why.text + (doubled ? own : 0));
}

static int
set_bool(const char *text, struct option_value *value, struct err *err)
{
    bool on;

    if (!value_bool(text, &on))
        return err_set(err, E_INVALID, "expected true or false");
    value->number = on;
    return 0;
}

/* Checks a text and fills the numbers. */
static int
parse(const struct option *option, const char *text, struct option_value *value,
      struct err *err)
{
    switch (option->type) {
    case OPTION_BOOL:
        return set_bool(text, value, err);
    case OPTION_STRING:
        if ((int64_t)strlen(text) < option->min)
            return err_set(err, E_INVALID, "expected %s", option->value);
        return 0;
    case OPTION_ADDRESS:
        return set_address(text, err);
    case OPTION_SERVER:
        return client_url_check(text, err);
    case OPTION_TIME:
        return set_time(text, err);
    case OPTION_INT:
    case OPTION_DECIMAL:
    case OPTION_SIZE:
    case OPTION_DURATION:
        return set_number(option, text, value, err);
    case OPTION_WORD:
        return set_word(option, text, value, err);
    case OPTION_WORDS:
        return set_words(option, text, value, err);
    }
    return E_INVALID;
}

static void
forget(struct option_value *value)
{
    for (size_t i = 0; i < value->n; i++)
        free(value->texts[i]);
    value->n = 0;
}

/* Takes a value from a source unless a stronger one gave one; it is checked in any
 * case.
 */
static int
set(struct options *options, size_t id, enum option_source source, const char *text,
    struct err *err)
{
    struct option_value *value = &options->values[id];
    struct option_value parsed = *value;

    int rc = parse(&option_table[id], text, &parsed, err);
    if (rc != 0)
        return rc;
    if (value->source == source && !option_table[id].repeated)
        return err_set(err, E_INVALID, "given twice");
    if (value->source > source)
        return 0;
    if (value->source < source)
        forget(value);
    value->source = source;
    value->number = parsed.number;
    value->decimal = parsed.decimal;
    value->texts = xrealloc(value->texts, (value->n + 1) * sizeof(value->texts[0]));
    value->texts[value->n++] = xstrdup(text);
    return 0;
}

/* ---- all of them ---- */

void
options_init(struct options *options)
{
    *options = (struct options){0};
    for (size_t i = 0; i < OPTIONS; i++) {
        if (!option_table[i].fallback)
            continue;
        struct err err = {0};
        int rc = parse(&option_table[i], option_table[i].fallback, &options->values[i],
                       &err);
        assert(rc == 0);
        (void)rc;
    }
}

void
options_fini(struct options *options)
{
    for (size_t i = 0; i < OPTIONS; i++) {
        forget(&options->values[i]);
        free(options->values[i].texts);
    }
}

/* ---- flags ---- */

/* The option of this name among those taken; OPTIONS if there is none. */
static size_t
find(option_set taken, const char *name, size_t n)
{
    for (size_t i = 0; i < OPTIONS; i++) {
        if (option_in(taken, i) && strlen(option_table[i].name) == n &&
            memcmp(option_table[i].name, name, n) == 0)
            return i;
    }
    return OPTIONS;
}

static int
unknown_flag(option_set taken, const char *name, struct err *err)
{
    struct nearest nearest;

    nearest_init(&nearest, name);
    nearest_try(&nearest, "help");
    nearest_try(&nearest, "version");
    for (size_t i = 0; i < OPTIONS; i++) {
        if (option_in(taken, i))
            nearest_try(&nearest, option_table[i].name);
    }
    if (nearest.best)
        return err_set(err, E_INVALID, "unknown option --%s; did you mean --%s?", name,
                       nearest.best);
    bool elsewhere = find(~(option_set)0, name, strlen(name)) != OPTIONS;
    return err_set(err, E_INVALID, "%s --%s",
                   elsewhere ? "this command takes no" : "unknown option", name);
}

/* One flag at argv[*at]; moves *at to its last word. */
static int
read_flag(struct options *options, option_set taken, int argc, char **argv, int *at,
          struct err *err)
{
    const char *name = argv[*at] + 2;
    size_t n = strcspn(name, "=");
    const char *text = name[n] == '=' ? name + n + 1 : NULL;
    char shown[64];

    snprintf(shown, sizeof(shown), "%.*s", (int)n, name);
    size_t id = find(taken, name, n);
    if (id == OPTIONS)
        return unknown_flag(taken, shown, err);
    const struct option *option = &option_table[id];
    if (!text && option->type != OPTION_BOOL) {
        bool last = *at + 1 == argc || strncmp(argv[*at + 1], "--", 2) == 0;
        if (last)
            return err_set(err, E_INVALID, "--%s needs a value: %s", option->name,
                           option->value);
        text = argv[++*at];
    }
    int rc = set(options, id, OPTION_BY_FLAG, text ? text : "true", err);
    if (rc != 0)
        err_wrap(err, "--%s%s%s", option->name, text ? " " : "", text ? text : "");
    return rc;
}

int
options_from_flags(struct options *options, option_set taken, int argc, char **argv,
                   char **args, size_t *n_args, struct err *err)
{
    bool only_args = false;
    size_t n = 0;

    for (int i = 0; i < argc; i++) {
        int rc = 0;
        if (only_args || argv[i][0] != '-' || !argv[i][1])
            args[n++] = argv[i];
        else if (strcmp(argv[i], "--") == 0)
            only_args = true;
        else if (argv[i][1] != '-')
            rc = err_set(err, E_INVALID, "unknown option %s; long ones begin with --",
                         argv[i]);
        else
            rc = read_flag(options, taken, argc, argv, &i, err);
        if (rc != 0)
            return rc;
    }
    *n_args = n;
    return 0;
}

/* ---- variables ---- */

static int
unknown_variable(const char *name, void (*unknown)(const char *), struct err *err)
{
    struct nearest nearest;

    nearest_init(&nearest, name + strlen(VARIABLE_PREFIX));
    for (size_t i = 0; i < OPTIONS; i++) {
        const char *known = option_table[i].variable;
        if (known && strcmp(known, name) == 0)
            return 0; /* another command's */
        if (known)
            nearest_try(&nearest, known + strlen(VARIABLE_PREFIX));
    }
    if (nearest.best)
        return err_set(err, E_INVALID,
                       "unknown variable %s; did you mean " VARIABLE_PREFIX "%s?", name,
                       nearest.best);
    if (unknown)
        unknown(name);
    return 0;
}

static int
read_variable(struct options *options, option_set taken, const char *name,
              const char *text, bool *known, struct err *err)
{
    *known = false;
    for (size_t i = 0; i < OPTIONS; i++) {
        const char *variable = option_table[i].variable;
        if (!option_in(taken, i) || !variable || strcmp(variable, name) != 0)
            continue;
        *known = true;
        int rc = set(options, i, OPTION_BY_ENV, text, err);
        if (rc != 0) {
            err_wrap(err, "%s=%s", name, text);
            return rc;
        }
    }
    return 0;
}

int
options_from_env(struct options *options, option_set taken, char *const *env,
                 bool strict, void (*unknown)(const char *name), struct err *err)
{
    for (; *env; env++) {
        size_t n = strcspn(*env, "=");
        /* An empty variable is as good as none. */
        if (strncmp(*env, VARIABLE_PREFIX, strlen(VARIABLE_PREFIX)) != 0 ||
            !(*env)[n] || !(*env)[n + 1])
            continue;

        char *name = xstrndup(*env, n);
        bool known;
        int rc = read_variable(options, taken, name, *env + n + 1, &known, err);
        if (rc == 0 && !known && strict)
            rc = unknown_variable(name, unknown, err);
        free(name);
        if (rc != 0)
            return rc;
    }
    return 0;
}

/* ---- the config file ---- */

static bool
is_quoted(const char *value)
{
    size_t n = strlen(value);
    return n >= 2 && (value[0] == '"' || value[0] == '\'') && value[n - 1] == value[0];
}

int
options_from_pair(struct options *options, option_set taken, const char *name,
                  const char *value, struct err *err)
{
    struct nearest nearest;

    nearest_init(&nearest, name);
    for (size_t i = 0; i < OPTIONS; i++) {
        if (!option_in(taken, i) || !option_table[i].in_file)
            continue;
        if (strcmp(option_table[i].name, name) != 0) {
            nearest_try(&nearest, option_table[i].name);
            continue;
        }
        int rc = is_quoted(value) ? err_set(err, E_INVALID, "write it without quotes")
                                  : set(options, i, OPTION_BY_FILE, value, err);
        if (rc != 0)
            err_wrap(err, "%s = %s", name, value);
        return rc;
    }
    if (nearest.best)
        return err_set(err, E_INVALID, "unknown option %s; did you mean %s?", name,
                       nearest.best);
    return err_set(err, E_INVALID, "unknown option %s", name);
}

/* ---- looking at them ---- */

const char *
option_text(const struct options *options, enum option_id id)
{
    const struct option_value *value = &options->values[id];
    return value->n ? value->texts[value->n - 1] : option_table[id].fallback;
}

int64_t
option_number(const struct options *options, enum option_id id)
{
    return options->values[id].number;
}

double
option_decimal(const struct options *options, enum option_id id)
{
    return options->values[id].decimal;
}

bool
option_on(const struct options *options, enum option_id id)
{
    return options->values[id].number != 0;
}

bool
option_given(const struct options *options, enum option_id id)
{
    return options->values[id].source != OPTION_BY_DEFAULT;
}

enum option_source
option_source(const struct options *options, enum option_id id)
{
    return options->values[id].source;
}
