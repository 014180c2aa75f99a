/* Options: where values come from, what is refused, and what it says then. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"
#include "cli/command.h"
#include "cli/config_file.h"
#include "cli/help.h"
#include "cli/value.h"
#include "core/call.h"
#include "core/event.h"
#include "core/key.h"

#define WORDS_MAX 12

/* What a command takes. */
static option_set
taken_by(const char *name, const char *verb)
{
    for (size_t i = 0; i < command_count; i++) {
        if (strcmp(command_table[i].name, name) == 0 &&
            (!verb || strcmp(command_table[i].verb, verb) == 0))
            return command_table[i].options;
    }
    fail_msg("no command %s", name);
    return 0;
}

/* The words of a command line, read as flags. */
static int
read_words(struct options *options, option_set taken, const char *const *words,
           char **args, size_t *n_args, struct err *err)
{
    char *argv[WORDS_MAX + 1];
    int argc = 0;

    for (; words[argc]; argc++) {
        assert_in_range(argc, 0, WORDS_MAX - 1);
        argv[argc] = (char *)(uintptr_t)words[argc];
    }
    return options_from_flags(options, taken, argc, argv, args, n_args, err);
}

static int
read_env(struct options *options, option_set taken, const char *variable, bool strict,
         struct err *err)
{
    char *env[] = {(char *)(uintptr_t)variable, NULL};
    return options_from_env(options, taken, env, strict, NULL, err);
}

/* A config file with this text; its name goes to path. */
static void
write_config(char path[64], const char *text, size_t n)
{
    snprintf(path, 64, "/tmp/pushwire-test-XXXXXX");
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, n), (ssize_t)n);
    close(fd);
}

static int
read_config(struct options *options, const char *text, size_t n, char path[64],
            struct err *err)
{
    write_config(path, text, n);
    int rc = config_file_read(options, taken_by("serve", NULL), path, err);
    unlink(path);
    return rc;
}

/* ---- values ---- */

static void
every_default_is_a_valid_value(void **state)
{
    (void)state;
    struct options options;
    options_init(&options); /* asserts it */
    assert_string_equal(option_text(&options, OPTION_LISTEN), "127.0.0.1:8420");
    assert_int_equal(option_number(&options, OPTION_WINDOW), 32);
    assert_int_equal(option_number(&options, OPTION_MAX_REQUEST), 1 << 20);
    assert_int_equal(option_number(&options, OPTION_DEADLINE), 15000);
    assert_int_equal(option_number(&options, OPTION_LOG_LEVEL), LOG_INFO);
    assert_false(option_on(&options, OPTION_DEV));
    assert_false(option_given(&options, OPTION_WINDOW));
    options_fini(&options);
}

static void
values_are_read_with_their_units(void **state)
{
    (void)state;
    static const struct {
        const char *flag, *text;
        enum option_id id;
        int64_t number;
    } cases[] = {
        {"--window", "1", OPTION_WINDOW, 1},
        {"--window", "1024", OPTION_WINDOW, 1024},
        {"--max-request", "1024", OPTION_MAX_REQUEST, 1024},
        {"--max-request", "64KiB", OPTION_MAX_REQUEST, 65536},
        {"--max-request", "3 MiB", OPTION_MAX_REQUEST, 3 << 20},
        {"--max-request", "1GiB", OPTION_MAX_REQUEST, 1 << 30},
        {"--deadline", "20", OPTION_DEADLINE, 20000},
        {"--deadline", "20s", OPTION_DEADLINE, 20000},
        {"--deadline", "250ms", OPTION_DEADLINE, 250},
        {"--deadline", "2 min", OPTION_DEADLINE, 120000},
        {"--deadline", "2m", OPTION_DEADLINE, 120000},
        {"--drain", "1h", OPTION_DRAIN, 3600000},
        {"--drain", "0", OPTION_DRAIN, 0},
        {"--log", "json", OPTION_LOG, 1},
        {"--log-level", "error", OPTION_LOG_LEVEL, LOG_ERROR},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const char *words[] = {cases[i].flag, cases[i].text, NULL};
        struct options options;
        struct err err = {0};
        char *args[WORDS_MAX];
        size_t n;
        options_init(&options);
        if (read_words(&options, taken_by("serve", NULL), words, args, &n, &err) != 0)
            fail_msg("%s", err.text);
        assert_int_equal(option_number(&options, cases[i].id), cases[i].number);
        assert_string_equal(option_text(&options, cases[i].id), cases[i].text);
        options_fini(&options);
    }
}

/* Each of these words is refused, with this in what is said. */
struct refusal {
    const char *words[5];
    const char *said;
};

static void
check_refusals(option_set taken, const struct refusal *cases, size_t n_cases)
{
    for (size_t i = 0; i < n_cases; i++) {
        struct options options;
        struct err err = {0};
        char *args[WORDS_MAX];
        size_t n;
        options_init(&options);
        int rc = read_words(&options, taken, cases[i].words, args, &n, &err);
        if (rc == 0)
            fail_msg("%s %s was taken", cases[i].words[0], cases[i].words[1]);
        if (!strstr(err.text, cases[i].said))
            fail_msg("\"%s\" does not say \"%s\"", err.text, cases[i].said);
        options_fini(&options);
    }
}

static void
malformed_values_are_refused_with_what_was_expected(void **state)
{
    (void)state;
    static const struct refusal cases[] = {
        {{"--window", "0"}, "--window 0: expected a whole number from 1 to 1024"},
        {{"--window", "1025"}, "from 1 to 1024"},
        {{"--window", "-1"}, "from 1 to 1024"},
        {{"--window", ""}, "from 1 to 1024"},
        {{"--window", " 5"}, "from 1 to 1024"},
        {{"--window", "5 "}, "from 1 to 1024"},
        {{"--window", "5x"}, "from 1 to 1024"},
        {{"--window", "0x10"}, "from 1 to 1024"},
        {{"--window", "99999999999999999999"}, "from 1 to 1024"},
        {{"--window", "18446744073709551621"}, "from 1 to 1024"},
        {{"--max-request", "1MB"}, "expected a size from 1 KiB to 1 GiB"},
        {{"--max-request", "MiB"}, "expected a size"},
        {{"--max-request", "1.5MiB"}, "expected a size"},
        {{"--max-request", "9007199254740993GiB"}, "expected a size"},
        {{"--deadline", "15 sec"}, "expected a duration from 100 ms to 5 min"},
        {{"--deadline", "99ms"}, "expected a duration"},
        {{"--deadline", "6min"}, "expected a duration"},
        {{"--log", "xml"}, "expected one of text, json"},
        {{"--log-level", "inof"}, "did you mean info?"},
        {{"--listen", "8420"}, "expected ADDRESS:PORT"},
        {{"--listen", "127.0.0.1:70000"}, "--listen 127.0.0.1:70000: the port must be"},
        {{"--listen", "foo"}, "--listen foo: expected ADDRESS:PORT"},
        {{"--dev", "--dev"}, "--dev: given twice"},
        {{"--dev=true", "--dev"}, "--dev: given twice"},
        {{"--data", ""}, "expected DIR"},
        {{"--dev=maybe"}, "expected true or false"},
        {{"--window"}, "--window needs a value: N"},
        {{"--window", "--dev"}, "--window needs a value: N"},
        {{"--window=7", "--window=7"}, "given twice"},
    };
    check_refusals(taken_by("serve", NULL), cases, ARRAY_LEN(cases));
}

static void
filters_are_checked_before_the_server_is_asked(void **state)
{
    (void)state;
    static const struct refusal cases[] = {
        {{"--type", "clik"}, "did you mean click?"},
        {{"--type", "click,"}, "expected some of optIn, optOut"},
        {{"--type", "click,,optIn"}, "expected some of optIn, optOut"},
        {{"--state", "inFlight"}, "expected some of waiting, held"},
        {{"--since", "yesterday"}, "2024-03-04T09:50:51Z"},
        {{"--since", "2024-02-30T00:00:00Z"}, "expected a time"},
        {{"--limit", "0"}, "expected a whole number"},
        {{"--url", "foo bar"}, "--url foo bar: expected a URL as in http://"},
        {{"--url", "ftp://a/"}, "expected a URL as in http://"},
        {{"--url", "http://a/?b"}, "expected a URL as in http://"},
    };
    check_refusals(taken_by("call", "list"), cases, ARRAY_LEN(cases));
}

static void
options_of_the_registry_are_checked_before_the_server_is_asked(void **state)
{
    (void)state;
    static const struct refusal list[] = {
        {{"--topic", ""}, "--topic : expected ID"},
        {{"--value", ""}, "--value : expected TEXT"},
        {{"--platfrom", "iOS"}, "did you mean --platform?"},
        {{"--synced-since", "2024-03-04"},
         "--synced-since 2024-03-04: expected a time"},
        {{"--inactive", "--inactive"}, "--inactive: given twice"},
        {{"--limit", "0"}, "expected a whole number"},
        {{"--output", "x"}, "this command takes no --output"},
    };
    check_refusals(taken_by("subscription", "list"), list, ARRAY_LEN(list));

    static const struct refusal export[] = {
        {{"--output", ""}, "expected FILE"},
        {{"--emit"}, "this command takes no --emit"},
        {{"--limit", "5"}, "this command takes no --limit"},
    };
    check_refusals(taken_by("subscription", "export"), export, ARRAY_LEN(export));

    static const struct refusal put[] = {
        {{"--data"}, "--data needs a value: FILE"},
        {{"--data-dir", ""}, "expected DIR"},
    };
    check_refusals(taken_by("subscription", "put"), put, ARRAY_LEN(put));

    static const struct refusal create[] = {
        {{"--feed-guid", ""}, "expected GUID"},
        {{"--title", "a", "--title", "b"}, "--title b: given twice"},
    };
    check_refusals(taken_by("notification", "create"), create, ARRAY_LEN(create));
}

static void
a_time_before_1970_is_left_to_the_server(void **state)
{
    (void)state;
    const char *words[] = {"--since", "1969-12-31T23:59:59Z", NULL};
    struct options options;
    struct err err = {0};
    char *args[WORDS_MAX];
    size_t n;
    options_init(&options);
    assert_int_equal(
        read_words(&options, taken_by("call", "list"), words, args, &n, &err), 0);
    assert_string_equal(option_text(&options, OPTION_SINCE), words[1]);
    options_fini(&options);
}

/* ---- names ---- */

static void
an_unknown_flag_is_refused_with_the_nearest(void **state)
{
    (void)state;
    static const struct refusal cases[] = {
        {{"--lisen", "x"}, "unknown option --lisen; did you mean --listen?"},
        {{"--lisetn", "x"}, "did you mean --listen?"},
        {{"--Listen=x"}, "did you mean --listen?"},
        {{"--pubilc-metric"}, "did you mean --public-metrics?"},
        {{"--hepl"}, "did you mean --help?"},
        {{"--frobnicate"}, "unknown option --frobnicate"},
        {{"--subscription", "x"}, "this command takes no --subscription"},
        {{"-x"}, "unknown option -x"},
    };
    check_refusals(taken_by("serve", NULL), cases, ARRAY_LEN(cases));
}

static void
a_word_that_is_far_from_all_gets_no_suggestion(void **state)
{
    (void)state;
    struct nearest nearest;
    nearest_init(&nearest, "frobnicate");
    for (size_t i = 0; i < OPTIONS; i++)
        nearest_try(&nearest, option_table[i].name);
    assert_null(nearest.best);
}

static void
words_that_are_no_flags_are_kept_in_order(void **state)
{
    (void)state;
    const char *words[] = {"a", "--window", "5", "-", "b", "--", "--dev", "-x", NULL};
    const char *const left[] = {"a", "-", "b", "--dev", "-x"};
    struct options options;
    struct err err = {0};
    char *args[WORDS_MAX];
    size_t n;
    options_init(&options);
    assert_int_equal(
        read_words(&options, taken_by("serve", NULL), words, args, &n, &err), 0);
    assert_int_equal(n, ARRAY_LEN(left));
    for (size_t i = 0; i < n; i++)
        assert_string_equal(args[i], left[i]);
    assert_false(option_on(&options, OPTION_DEV));
    options_fini(&options);
}

static void
a_repeated_flag_keeps_every_value(void **state)
{
    (void)state;
    const char *words[] = {"--header", "A: 1", "--header=B: 2", NULL};
    struct options options;
    struct err err = {0};
    char *args[WORDS_MAX];
    size_t n;
    options_init(&options);
    assert_int_equal(
        read_words(&options, taken_by("webhook", "create"), words, args, &n, &err), 0);
    assert_int_equal(options.values[OPTION_HEADER].n, 2);
    assert_string_equal(options.values[OPTION_HEADER].texts[0], "A: 1");
    assert_string_equal(options.values[OPTION_HEADER].texts[1], "B: 2");
    options_fini(&options);
}

static void
an_output_is_standard_output_unless_a_flag_says_where(void **state)
{
    (void)state;
    const char *words[] = {"--output", "-", NULL};
    struct options options;
    struct err err = {0};
    char *args[WORDS_MAX];
    size_t n;
    options_init(&options);
    assert_string_equal(option_text(&options, OPTION_OUTPUT), "-");
    assert_int_equal(
        read_words(&options, taken_by("subscription", "export"), words, args, &n, &err),
        0);
    assert_int_equal(n, 0);
    assert_true(option_given(&options, OPTION_OUTPUT));
    assert_string_equal(option_text(&options, OPTION_OUTPUT), "-");
    options_fini(&options);
}

/* ---- precedence ---- */

static void
a_flag_goes_before_a_variable_before_the_file_before_the_default(void **state)
{
    (void)state;
    /* flag, variable, file: 1 = given */
    for (unsigned given = 0; given < 8; given++) {
        const char *words[] = {given & 4 ? "--window=4" : NULL, NULL};
        static const char file[] = "window = 1\n";
        option_set taken = taken_by("serve", NULL);
        struct options options;
        struct err err = {0};
        char *args[WORDS_MAX];
        char path[64];
        size_t n;

        options_init(&options);
        assert_int_equal(read_words(&options, taken, words, args, &n, &err), 0);
        if (given & 2)
            assert_int_equal(read_env(&options, taken, "PUSHWIRE_WINDOW=2", true, &err),
                             0);
        if (given & 1)
            assert_int_equal(read_config(&options, file, sizeof(file) - 1, path, &err),
                             0);
        int64_t want = given & 4 ? 4 : given & 2 ? 2 : given & 1 ? 1 : 32;
        assert_int_equal(option_number(&options, OPTION_WINDOW), want);
        options_fini(&options);
    }
}

static void
a_weaker_source_is_checked_even_when_it_does_not_count(void **state)
{
    (void)state;
    const char *words[] = {"--window=4", NULL};
    struct options options;
    struct err err = {0};
    char *args[WORDS_MAX];
    size_t n;
    options_init(&options);
    assert_int_equal(
        read_words(&options, taken_by("serve", NULL), words, args, &n, &err), 0);
    assert_int_equal(
        read_env(&options, taken_by("serve", NULL), "PUSHWIRE_WINDOW=x", true, &err),
        E_INVALID);
    assert_string_equal(err.text,
                        "PUSHWIRE_WINDOW=x: expected a whole number from 1 to 1024");
    options_fini(&options);
}

static void
a_flag_can_switch_off_what_a_variable_switched_on(void **state)
{
    (void)state;
    const char *words[] = {"--dev=false", NULL};
    struct options options;
    struct err err = {0};
    char *args[WORDS_MAX];
    size_t n;
    options_init(&options);
    assert_int_equal(
        read_words(&options, taken_by("serve", NULL), words, args, &n, &err), 0);
    assert_int_equal(
        read_env(&options, taken_by("serve", NULL), "PUSHWIRE_DEV=1", true, &err), 0);
    assert_false(option_on(&options, OPTION_DEV));
    options_fini(&options);
}

/* ---- variables ---- */

static int unknown_count;

static void
count_unknown(const char *name)
{
    (void)name;
    unknown_count++;
}

static void
a_variable_that_is_nearly_one_is_refused_by_the_server_alone(void **state)
{
    (void)state;
    struct options options;
    struct err err = {0};
    options_init(&options);
    assert_int_equal(read_env(&options, taken_by("serve", NULL),
                              "PUSHWIRE_LISTN=127.0.0.1:1", true, &err),
                     E_INVALID);
    assert_string_equal(err.text, "unknown variable PUSHWIRE_LISTN; did you mean "
                                  "PUSHWIRE_LISTEN?");
    assert_int_equal(read_env(&options, taken_by("call", "list"),
                              "PUSHWIRE_LISTN=127.0.0.1:1", false, &err),
                     0);
    options_fini(&options);
}

static void
a_variable_of_something_else_is_told_and_left_alone(void **state)
{
    (void)state;
    /* As container platforms set them for a service called pushwire. */
    char tcp[] = "PUSHWIRE_PORT_8420_TCP_ADDR=10.0.0.1";
    char host[] = "PUSHWIRE_SERVICE_HOST=10.0.0.1";
    char url[] = "PUSHWIRE_URL=http://127.0.0.1:1"; /* another command's */
    char other[] = "PUSHWIRER=1";
    char empty[] = "PUSHWIRE_WINDOW=";
    char *env[] = {tcp, host, url, other, empty, NULL};
    struct options options;
    struct err err = {0};
    unknown_count = 0;
    options_init(&options);
    assert_int_equal(options_from_env(&options, taken_by("serve", NULL), env, true,
                                      count_unknown, &err),
                     0);
    assert_int_equal(unknown_count, 2);
    options_fini(&options);
}

static void
variables_are_named_after_their_flags(void **state)
{
    (void)state;
    for (size_t i = 0; i < OPTIONS; i++) {
        const struct option *option = &option_table[i];
        char name[64] = "PUSHWIRE_";
        size_t n = strlen(name);
        assert_non_null(option->name);
        assert_non_null(option->help);
        if (!option->variable || i == OPTION_DATA_DIR)
            continue;
        for (const char *p = option->name; *p; p++)
            name[n++] = *p == '-'                ? '_'
                        : *p >= 'a' && *p <= 'z' ? (char)(*p - 'a' + 'A')
                                                 : *p;
        assert_string_equal(option->variable, name);
    }
}

/* ---- the config file ---- */

static void
a_config_file_is_read_line_by_line(void **state)
{
    (void)state;
    static const char text[] = "; comment\n# another\n\n"
                               "window = 7\r\n"
                               "  listen=[::1]:0  \n"
                               "log: json ; inline\n"
                               "dev = yes\n"
                               "deadline = 2 s";
    struct options options;
    struct err err = {0};
    char path[64];
    options_init(&options);
    if (read_config(&options, text, sizeof(text) - 1, path, &err) != 0)
        fail_msg("%s", err.text);
    assert_int_equal(option_number(&options, OPTION_WINDOW), 7);
    assert_string_equal(option_text(&options, OPTION_LISTEN), "[::1]:0");
    assert_string_equal(option_text(&options, OPTION_LOG), "json");
    assert_true(option_on(&options, OPTION_DEV));
    assert_int_equal(option_number(&options, OPTION_DEADLINE), 2000);
    options_fini(&options);
}

static void
every_bad_line_of_a_config_file_is_refused_by_its_number(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *said; /* behind the file's name */
    } cases[] = {
        {"window = 7\nlisen = 127.0.0.1:1\n",
         ":2: unknown option lisen; did you mean listen?"},
        {"\n\nwindow = 0\n", ":3: window = 0: expected a whole number from 1 to 1024"},
        {"window = 1\nwindow = 2\n", ":2: window = 2: given twice"},
        {"window = 1\n  2\n", ":2: expected name = value"}, /* no continued lines */
        {"data = a\n\tb\n", ":2: expected name = value"},
        {"window\n", ":1: expected name = value"},
        {"window = 1\nnonsense\nwindow = 0\n", ":2: expected name = value"},
        {"window =\n", ":1: window = : expected a whole number"},
        {"data =\n", ":1: data = : expected DIR"},
        {"data = \"a\"\n", ":1: data = \"a\": write it without quotes"},
        {"log = 'json'\n", ":1: log = 'json': write it without quotes"},
        {"[server]\n", ":1: there are no sections"},
        {"window = 1\n  [server]\n", ":2: there are no sections"},
        {"= 5\n", ":1: unknown option "},
        {"new-key = true\n", ":1: unknown option new-key"},
        {"config = other\n", ":1: unknown option config"},
        {"subscription = x\n", ":1: unknown option subscription"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct options options;
        struct err err = {0};
        char path[64];
        options_init(&options);
        int rc =
            read_config(&options, cases[i].text, strlen(cases[i].text), path, &err);
        if (rc != E_INVALID)
            fail_msg("taken: %s", cases[i].text);
        assert_memory_equal(err.text, path, strlen(path));
        if (strncmp(err.text + strlen(path), cases[i].said, strlen(cases[i].said)) != 0)
            fail_msg("\"%s\" is not \"%s\"", err.text + strlen(path), cases[i].said);
        options_fini(&options);
    }
}

static void
no_part_of_a_config_file_is_passed_over_in_silence(void **state)
{
    (void)state;
    char text[1000];
    struct options options;
    struct err err = {0};
    char path[64];

    /* A line that is as long as it may be, and one that is not. */
    for (size_t n = 100; n < 600; n++) {
        memset(text, 'x', n);
        memcpy(text, "data = ", 7);
        text[n] = '\n';
        options_init(&options);
        err = (struct err){0};
        int rc = read_config(&options, text, n + 1, path, &err);
        if (rc == 0)
            assert_int_equal(strlen(option_text(&options, OPTION_DATA)), n - 7);
        else
            assert_non_null(strstr(err.text, ":1: the line is too long"));
        assert_true(rc == 0 || n > 190);
        options_fini(&options);
    }

    static const char with_nul[] = "window = 1\n\0window = 2\n";
    options_init(&options);
    assert_int_equal(read_config(&options, with_nul, sizeof(with_nul) - 1, path, &err),
                     E_INVALID);
    assert_non_null(strstr(err.text, "NUL"));
    options_fini(&options);
}

static void
a_config_file_that_is_missing_is_refused(void **state)
{
    (void)state;
    struct options options;
    struct err err = {0};
    options_init(&options);
    assert_int_equal(config_file_read(&options, taken_by("serve", NULL),
                                      "/nonexistent/pushwire.conf", &err),
                     E_NOT_FOUND);
    assert_non_null(strstr(err.text, "/nonexistent/pushwire.conf"));
    options_fini(&options);
}

/* ---- the tables ---- */

static void
words_of_options_are_those_of_the_domain(void **state)
{
    (void)state;
    for (unsigned i = 0; i < EVENT_TYPES; i++)
        assert_string_equal(option_table[OPTION_TYPE].word(i),
                            event_type_name((enum event_type)i));
    assert_null(option_table[OPTION_TYPE].word(EVENT_TYPES));
    for (unsigned i = 0; i < ROLES; i++)
        assert_string_equal(option_table[OPTION_ROLE].word(i), role_name((enum role)i));
    assert_null(option_table[OPTION_ROLE].word(ROLES));
    assert_null(option_table[OPTION_STATE].word(CALL_STATES - 1));
}

/* client.c looks for the key's folder where the command takes it from. */
static void
every_client_finds_its_key(void **state)
{
    (void)state;
    const option_set data = OPT(KEY_DATA) | OPT(DATA_DIR);
    for (size_t c = 0; c < command_count; c++) {
        option_set taken = command_table[c].options;
        bool client = option_in(taken, OPTION_URL);
        assert_int_equal(option_in(taken, OPTION_KEY), client);
        option_set found = taken & data;
        bool right = client ? found == OPT(KEY_DATA) || found == OPT(DATA_DIR) : !found;
        if (!right)
            fail_msg("%s %s", command_table[c].name, command_table[c].verb);
    }
}

static void
no_command_takes_two_options_of_one_name(void **state)
{
    (void)state;
    for (size_t c = 0; c < command_count; c++) {
        option_set taken = command_table[c].options;
        assert_int_equal(command_table[c].needed & ~taken, 0);
        for (size_t i = 0; i < OPTIONS; i++) {
            for (size_t j = 0; j < i; j++) {
                if (option_in(taken, i) && option_in(taken, j))
                    assert_string_not_equal(option_table[i].name, option_table[j].name);
            }
        }
    }
}

static void
every_option_is_taken_by_a_command(void **state)
{
    (void)state;
    option_set taken = 0;
    for (size_t c = 0; c < command_count; c++)
        taken |= command_table[c].options;
    for (size_t i = 0; i < OPTIONS; i++) {
        if (!option_in(taken, i))
            fail_msg("--%s is taken by no command", option_table[i].name);
    }
}

static void
check_width(const char *text)
{
    for (size_t n; *text; text += n + (text[n] == '\n')) {
        n = strcspn(text, "\n");
        size_t width = 0;
        for (size_t i = 0; i < n; i++)
            width += ((unsigned char)text[i] & 0xc0) != 0x80;
        if (width > 80)
            fail_msg("%zu columns: %.*s", width, (int)n, text);
    }
}

static void
every_help_fits_80_columns_and_names_every_option(void **state)
{
    (void)state;
    for (size_t c = 0; c < command_count; c++) {
        char *text = NULL;
        size_t n = 0;
        FILE *out = open_memstream(&text, &n);
        help_command(out, &command_table[c]);
        help_group(out, command_table[c].name);
        help_program(out);
        fclose(out);
        check_width(text);
        for (size_t i = 0; i < OPTIONS; i++) {
            char flag[64];
            snprintf(flag, sizeof(flag), "--%s", option_table[i].name);
            if (option_in(command_table[c].options, i))
                assert_non_null(strstr(text, flag));
        }
        free(text);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_default_is_a_valid_value),
        cmocka_unit_test(values_are_read_with_their_units),
        cmocka_unit_test(malformed_values_are_refused_with_what_was_expected),
        cmocka_unit_test(filters_are_checked_before_the_server_is_asked),
        cmocka_unit_test(
            options_of_the_registry_are_checked_before_the_server_is_asked),
        cmocka_unit_test(a_time_before_1970_is_left_to_the_server),
        cmocka_unit_test(an_unknown_flag_is_refused_with_the_nearest),
        cmocka_unit_test(a_word_that_is_far_from_all_gets_no_suggestion),
        cmocka_unit_test(words_that_are_no_flags_are_kept_in_order),
        cmocka_unit_test(a_repeated_flag_keeps_every_value),
        cmocka_unit_test(an_output_is_standard_output_unless_a_flag_says_where),
        cmocka_unit_test(
            a_flag_goes_before_a_variable_before_the_file_before_the_default),
        cmocka_unit_test(a_weaker_source_is_checked_even_when_it_does_not_count),
        cmocka_unit_test(a_flag_can_switch_off_what_a_variable_switched_on),
        cmocka_unit_test(a_variable_that_is_nearly_one_is_refused_by_the_server_alone),
        cmocka_unit_test(a_variable_of_something_else_is_told_and_left_alone),
        cmocka_unit_test(variables_are_named_after_their_flags),
        cmocka_unit_test(a_config_file_is_read_line_by_line),
        cmocka_unit_test(every_bad_line_of_a_config_file_is_refused_by_its_number),
        cmocka_unit_test(no_part_of_a_config_file_is_passed_over_in_silence),
        cmocka_unit_test(a_config_file_that_is_missing_is_refused),
        cmocka_unit_test(words_of_options_are_those_of_the_domain),
        cmocka_unit_test(every_client_finds_its_key),
        cmocka_unit_test(no_command_takes_two_options_of_one_name),
        cmocka_unit_test(every_option_is_taken_by_a_command),
        cmocka_unit_test(every_help_fits_80_columns_and_names_every_option),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
