#include "cli/help.h"

#include "base/buf.h"

#define COLUMNS     80
#define TEXT_COLUMN 28

/* Characters on the screen; the texts here have no wide ones. */
static int
columns(const char *text, size_t n)
{
    int width = 0;

    for (size_t i = 0; i < n; i++)
        width += (text[i] & 0xc0) != 0x80;
    return width;
}

/* Words from column `at` on, wrapped at the text column. */
static void
put_wrapped(FILE *out, int at, const char *text)
{
    bool first = true;

    while (*text) {
        size_t n = strcspn(text, " ");
        int width = columns(text, n);
        if (!first && at + 1 + width > COLUMNS) {
            fprintf(out, "\n%*s", TEXT_COLUMN, "");
            at = TEXT_COLUMN;
        } else if (!first) {
            fputc(' ', out);
            at++;
        }
        fwrite(text, 1, n, out);
        at += width;
        first = false;
        text += n;
        text += strspn(text, " ");
    }
    fputc('\n', out);
}

static void
put_row(FILE *out, const char *left, const char *text)
{
    int width = 2 + columns(left, strlen(left));

    fprintf(out, "  %s", left);
    if (width + 2 > TEXT_COLUMN) {
        fputc('\n', out);
        width = 0;
    }
    fprintf(out, "%*s", TEXT_COLUMN - width, "");
    put_wrapped(out, TEXT_COLUMN, text);
}

static void
put_option(FILE *out, const struct option *option)
{
    char left[80];
    struct buf text;

    snprintf(left, sizeof(left), "--%s%s%s", option->name, option->value ? " " : "",
             option->value ? option->value : "");
    buf_init(&text, 1000);
    buf_adds(&text, option->help);
    for (unsigned i = 0; option->word && option->word(i); i++)
        buf_addf(&text, "%s%s", i ? ", " : ": ", option->word(i));
    if (option->fallback)
        buf_addf(&text, "; default: %s", option->fallback);
    put_row(out, left, text.p);
    buf_fini(&text);
}

void
help_program(FILE *out)
{
    fputs("Pushwire delivers the events of a push-notification platform to webhooks.\n"
          "\nUsage: pushwire COMMAND [OPTION …]\n\nCommands:\n",
          out);
    for (size_t i = 0; i < command_group_count; i++)
        put_row(out, command_groups[i].name, command_groups[i].help);
    fputs("\npushwire COMMAND --help tells more; pushwire --version the version.\n"
          "To begin: pushwire serve --dev\n",
          out);
}

void
help_group(FILE *out, const char *name)
{
    fprintf(out, "Usage: pushwire %s VERB [OPTION …]\n\nVerbs:\n", name);
    for (size_t i = 0; i < command_count; i++) {
        const struct command *command = &command_table[i];
        char left[80];
        if (strcmp(command->name, name) != 0)
            continue;
        snprintf(left, sizeof(left), "%s%s%s", command->verb, command->args ? " " : "",
                 command->args ? command->args : "");
        put_row(out, left, command->help);
    }
    fprintf(out, "\npushwire %s VERB --help tells more, man pushwire-%s all.\n", name,
            name);
}

static void
put_where_else(FILE *out, const struct command *command)
{
    bool first = true;

    if (option_in(command->options, OPTION_CONFIG)) {
        fputs("\nAll but --new-key are variables, too: --log-level is "
              "PUSHWIRE_LOG_LEVEL;\n"
              "and all but --config and --new-key lines of the config file:\n"
              "log-level = info. Flags go before variables, these before the file.\n"
              "Sizes: 64KiB, 32MiB, 1GiB. Times: 500ms, 15s, 2min, 1h.\n",
              out);
        return;
    }
    for (size_t i = 0; i < OPTIONS; i++) {
        const struct option *option = &option_table[i];
        char text[80];
        if (!option_in(command->options, i) || !option->variable)
            continue;
        fputs(first ? "\nVariables:\n" : "", out);
        snprintf(text, sizeof(text), "as --%s", option->name);
        put_row(out, option->variable, text);
        first = false;
    }
}

void
help_command(FILE *out, const struct command *command)
{
    fprintf(out, "%s\n\nUsage: pushwire %s%s%s%s%s [OPTION …]\n\nOptions:\n",
            command->help, command->name, command->verb ? " " : "",
            command->verb ? command->verb : "", command->args ? " " : "",
            command->args ? command->args : "");
    for (size_t i = 0; i < OPTIONS; i++) {
        if (option_in(command->options, i))
            put_option(out, &option_table[i]);
    }
    put_row(out, "--help", "show this and end");
    put_row(out, "--version", "show the version and end");
    put_where_else(out, command);
    fprintf(out, "\nman pushwire-%s tells more.\n", command->name);
}
