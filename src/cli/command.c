#include "cli/command.h"

#include <errno.h>
#include <langinfo.h>
#include <locale.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "cli/color.h"
#include "cli/config_file.h"
#include "cli/help.h"
#include "cli/value.h"

/* ---- what went wrong ---- */

static void
put_name(const struct command *command)
{
    fprintf(stderr, "pushwire %s%s%s: ", command->name, command->verb ? " " : "",
            command->verb ? command->verb : "");
}

int
command_fail(const struct command_line *line, const struct err *err)
{
    fflush(stdout);
    put_name(line->command);
    fprintf(stderr, "%s\n", err->text);
    return FAILED;
}

int
command_misused(const struct command_line *line, const char *fmt, ...)
{
    const struct command *command = line->command;
    va_list args;

    put_name(command);
    va_start(args, fmt);
    vfprintf(stderr, fmt, args);
    va_end(args);
    fprintf(stderr, "\nTry: pushwire %s%s%s --help\n", command->name,
            command->verb ? " " : "", command->verb ? command->verb : "");
    return WRONG_USAGE;
}

/* ---- finding the command ---- */

const struct command *
command_find(const char *name, const char *verb)
{
    for (size_t i = 0; i < command_count; i++) {
        const struct command *command = &command_table[i];
        if (strcmp(command->name, name) == 0 &&
            (!command->verb || (verb && strcmp(command->verb, verb) == 0)))
            return command;
    }
    return NULL;
}

static bool
is_group(const char *name)
{
    for (size_t i = 0; i < command_group_count; i++) {
        if (strcmp(command_groups[i].name, name) == 0)
            return true;
    }
    return false;
}

/* Of somebody who left out of what. */
static void
suggest_verbs(const char *name)
{
    const char *before = "; did you mean ";

    for (size_t i = 0; i < command_count; i++) {
        const struct command *command = &command_table[i];
        if (!command->verb || strcmp(command->verb, name) != 0)
            continue;
        fprintf(stderr, "%s%s %s", before, command->name, name);
        before = ", ";
    }
    fputs(*before == ',' ? "?" : "", stderr);
}

static int
unknown_command(const char *name)
{
    struct nearest nearest;

    nearest_init(&nearest, name);
    for (size_t i = 0; i < command_group_count; i++)
        nearest_try(&nearest, command_groups[i].name);
    fprintf(stderr, "pushwire: unknown command %s", name);
    if (nearest.best)
        fprintf(stderr, "; did you mean %s?", nearest.best);
    else
        suggest_verbs(name);
    fputs("\nTry: pushwire --help\n", stderr);
    return WRONG_USAGE;
}

static int
unknown_verb(const char *name, const char *verb)
{
    struct nearest nearest;

    if (!verb) {
        help_group(stderr, name);
        return WRONG_USAGE;
    }
    nearest_init(&nearest, verb);
    for (size_t i = 0; i < command_count; i++) {
        if (strcmp(command_table[i].name, name) == 0)
            nearest_try(&nearest, command_table[i].verb);
    }
    fprintf(stderr, "pushwire %s: unknown verb %s", name, verb);
    if (nearest.best)
        fprintf(stderr, "; did you mean %s?", nearest.best);
    fprintf(stderr, "\nTry: pushwire %s --help\n", name);
    return WRONG_USAGE;
}

/* ---- the two flags that every command takes ---- */

static bool
asks(int argc, char **argv, const char *flag, const char *letter)
{
    for (int i = 0; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (strcmp(argv[i], flag) == 0 || strcmp(argv[i], letter) == 0)
            return true;
    }
    return false;
}

/* ---- reading the rest ---- */

static void
warn_unknown(const char *name)
{
    fprintf(stderr, "pushwire: the variable %s is not one of Pushwire's\n", name);
}

static int
read_options(struct command_line *line, int argc, char **argv, struct err *err)
{
    option_set taken = line->command->options;
    /* A slip in a server's configuration should not wait until it matters. */
    bool strict = option_in(taken, OPTION_CONFIG);

    int rc = options_from_flags(&line->options, taken, argc, argv, line->args,
                                &line->n_args, err);
    if (rc == 0)
        rc = options_from_env(&line->options, taken, line->env, strict, warn_unknown,
                              err);
    const char *file = rc == 0 ? option_text(&line->options, OPTION_CONFIG) : NULL;
    if (file)
        rc = config_file_read(&line->options, taken, file, err);
    return rc;
}

static int
check_needed(const struct command_line *line)
{
    for (size_t i = 0; i < OPTIONS; i++) {
        const struct option *option = &option_table[i];
        if (!option_in(line->command->needed, i) ||
            option_given(&line->options, (enum option_id)i))
            continue;
        return command_misused(line, "--%s %s is missing%s%s", option->name,
                               option->value, option->variable ? "; or set " : "",
                               option->variable ? option->variable : "");
    }
    return DONE;
}

static int
run(struct command_line *line, int argc, char **argv)
{
    const struct command *command = line->command;
    struct err err = {0};

    if (read_options(line, argc, argv, &err) != 0)
        return command_misused(line, "%s", err.text);
    if (line->n_args < command->min_args)
        return command_misused(line, "%s is missing", command->args);
    for (size_t i = 0; i < line->n_args; i++) {
        if (!line->args[i][0])
            return command_misused(line, "%s is empty", command->args);
    }
    if (line->n_args > command->max_args)
        return command_misused(line, "unexpected %s", line->args[command->max_args]);
    color_set((enum color_when)option_number(&line->options, OPTION_COLOR));
    int status = check_needed(line);
    return status == DONE ? command->run(line) : status;
}

/* For the width of what is printed. The server keeps the C locale: a locale changes how
 * libcurl reads host names, and a webhook's must not depend on the machine's. */
static void
set_locale(const struct command *command)
{
    if (command->run == serve_run || command->run == check_run)
        return;
    setlocale(LC_CTYPE, "");
    if (strcmp(nl_langinfo(CODESET), "UTF-8") != 0)
        setlocale(LC_CTYPE, "C.UTF-8");
}

static int
run_command(const struct command *command, int argc, char **argv, char *const *env)
{
    struct command_line line = {
        .command = command,
        .args = xcalloc((size_t)argc + 1, sizeof(char *)),
        .env = env,
    };

    set_locale(command);
    options_init(&line.options);
    int status = run(&line, argc, argv);
    options_fini(&line.options);
    free(line.args);
    return status;
}

/* A group's words. */
static int
dispatch_group(const char *name, int argc, char **argv, bool help, char *const *env)
{
    const char *verb = argc > 1 && argv[1][0] != '-' ? argv[1] : NULL;
    const struct command *command = command_find(name, verb);

    if (help && command) {
        help_command(stdout, command);
    } else if (help && !verb) {
        help_group(stdout, name);
    } else if (!command) {
        return unknown_verb(name, verb);
    } else {
        int words = command->verb ? 2 : 1;
        return run_command(command, argc - words, argv + words, env);
    }
    return DONE;
}

int
help_run(const struct command_line *line)
{
    if (line->n_args == 0)
        help_program(stdout);
    else if (!is_group(line->args[0]))
        return unknown_command(line->args[0]);
    else
        return dispatch_group(line->args[0], (int)line->n_args, line->args, true,
                              line->env);
    return DONE;
}

/* The words after the program's name. */
static int
dispatch(int argc, char **argv, char *const *env)
{
    const char *name = argc > 0 ? argv[0] : NULL;
    bool help = asks(argc, argv, "--help", "-h");

    if (asks(argc, argv, "--version", "-V")) {
        puts("pushwire " PUSHWIRE_VERSION);
        return DONE;
    }
    if (!name) {
        help_program(stderr);
        return WRONG_USAGE;
    }
    if (is_group(name))
        return dispatch_group(name, argc, argv, help, env);
    if (name[0] == '-' && help) {
        help_program(stdout);
        return DONE;
    }
    return unknown_command(name);
}

int
command_main(int argc, char **argv, char *const *env)
{
    int status = dispatch(argc - 1, argv + 1, env);

    if (fflush(stdout) != 0 || ferror(stdout)) {
        fprintf(stderr, "pushwire: write to standard output: %s\n", strerror(errno));
        status = status == DONE ? FAILED : status;
    }
    return status;
}
