/*
 * Makes one page of the manual from the tables of commands and options, and from what a
 * person wrote: `pages GROUP [FILE]`, where GROUP is a command, or `pushwire` for the
 * overview. FILE is mdoc(7): what stands before its first section belongs to the
 * DESCRIPTION; OPTIONS are items that say more than the table; any other section of a
 * name that is made here, too, replaces that.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/iofd.h"
#include "cli/command.h"

#define DATE      "November 24, 2026"
#define OVERVIEW  "pushwire"
#define PROSE_MAX ((size_t)1 << 20)
#define DOTS      "\xe2\x80\xa6" /* … */
#define SECTION   "\n.Sh "

struct page {
    const char *group;
    const char *help; /* of the group, in a line */
    char *prose;      /* begins with a line end; "" = none */
};

/* ---- text ---- */

static bool
ends_sentence(const char *text)
{
    return text[0] == '.' && text[1] == ' ' && text[2] >= 'A' && text[2] <= 'Z';
}

/* As mdoc wants it; it may stand at the beginning of a line. */
static void
put_text(const char *text)
{
    if (*text == '.' || *text == '\'')
        fputs("\\&", stdout);
    for (; *text; text++) {
        if (*text == '\\')
            fputs("\\e", stdout);
        else if (*text == '\'')
            fputs("\\(aq", stdout);
        else if (ends_sentence(text))
            text += fputs(".\n", stdout) >= 0;
        else if (strncmp(text, DOTS, strlen(DOTS)) == 0) {
            fputs("...", stdout);
            text += strlen(DOTS) - 1;
        } else
            putchar(*text);
    }
}

/* A help text, which begins small and has no end, as a sentence. */
static void
put_sentence(const char *text)
{
    char first[2] = {*text, '\0'};

    if (*text >= 'a' && *text <= 'z' && (text[1] < 'A' || text[1] > 'Z'))
        first[0] = (char)(*text - 'a' + 'A');
    put_text(first);
    put_text(*text ? text + 1 : text);
    fputs(*text && text[strlen(text) - 1] == '.' ? "\n" : ".\n", stdout);
}

static void
put_flag(const struct option *option)
{
    printf("Fl -%s", option->name);
    if (option->value) {
        fputs(" Ar \"", stdout);
        put_text(option->value);
        fputs("\"", stdout);
    }
}

/* ---- which rows are the page's ---- */

static bool
is_mine(const struct page *page, const struct command *command)
{
    return strcmp(command->name, page->group) == 0;
}

static bool
is_overview(const struct page *page)
{
    return strcmp(page->group, OVERVIEW) == 0;
}

static option_set
all_options(const struct page *page)
{
    option_set set = 0;

    for (size_t i = 0; i < command_count; i++) {
        if (is_mine(page, &command_table[i]))
            set |= command_table[i].options;
    }
    return set;
}

/* The verbs that take it, unless all do. */
static void
put_takers(const struct page *page, size_t id)
{
    bool all = true;

    for (size_t i = 0; i < command_count; i++)
        all &= !is_mine(page, &command_table[i]) ||
               option_in(command_table[i].options, id);
    if (all)
        return;
    const char *before = ".Pq Cm ";
    for (size_t i = 0; i < command_count; i++) {
        const struct command *command = &command_table[i];
        if (!is_mine(page, command) || !option_in(command->options, id))
            continue;
        printf("%s%s", before, command->verb);
        before = " , ";
    }
    putchar('\n');
}

/* ---- what a person wrote ---- */

/* What stands below the name of a section; NULL if it was not written. */
static const char *
find_written(const struct page *page, const char *name, size_t *n)
{
    for (const char *at = strstr(page->prose, SECTION); at; at = strstr(at, SECTION)) {
        at += strlen(SECTION);
        size_t title = strcspn(at, "\n");
        const char *end = strstr(at, SECTION);
        if (strlen(name) != title || memcmp(name, at, title) != 0)
            continue;
        at += title;
        *n = end ? (size_t)(end - at) : strlen(at);
        return at;
    }
    return NULL;
}

/* Whether the written options say more of this one than the table does. */
static bool
is_written(const struct page *page, const struct option *option)
{
    size_t n;
    char item[80];
    const char *written = find_written(page, "OPTIONS", &n);

    if (!written)
        return false;
    int length = snprintf(item, sizeof(item), "Fl -%s", option->name);
    for (const char *at = memmem(written, n, item, (size_t)length); at;
         at = memmem(at, (size_t)(written + n - at), item, (size_t)length)) {
        at += length;
        const char *line = memrchr(written, '\n', (size_t)(at - written));
        if (strchr(" \n", *at) && line && strncmp(line, "\n.It", 4) == 0)
            return true;
    }
    return false;
}

/* ---- the sections that are made ---- */

static void
make_name(const struct page *page)
{
    bool overview = is_overview(page);

    printf(".Nm %s%s\n.Nd ", overview ? "" : OVERVIEW "-", page->group);
    put_text(page->help);
    putchar('\n');
}

static void
make_synopsis(const struct page *page)
{
    if (is_overview(page)) {
        fputs(".Nm\n.Ar command\n.Op Ar verb\n.Op Ar option ...\n", stdout);
        return;
    }
    for (size_t i = 0; i < command_count; i++) {
        const struct command *command = &command_table[i];
        if (!is_mine(page, command))
            continue;
        printf(".Nm pushwire %s%s%s\n", command->name, command->verb ? " " : "",
               command->verb ? command->verb : "");
        if (command->args) {
            fputs(".Ar ", stdout);
            put_text(command->args);
            putchar('\n');
        }
        for (size_t id = 0; id < OPTIONS; id++) {
            if (!option_in(command->needed, id))
                continue;
            putchar('.');
            put_flag(&option_table[id]);
            putchar('\n');
        }
        fputs(command->options ? ".Op Ar option ...\n" : "", stdout);
    }
}

static void
make_description(const struct page *page)
{
    /* Without verbs its one sentence says it. */
    for (size_t i = 0; i < command_count; i++) {
        const struct command *command = &command_table[i];
        if (is_mine(page, command) && !command->verb)
            put_sentence(command->help);
    }
    const char *end = strstr(page->prose, SECTION);
    size_t n = end ? (size_t)(end - page->prose) : strlen(page->prose);
    if (n > 0)
        printf("%.*s\n", (int)n - 1, page->prose + 1);
}

static void
make_commands(const struct page *page)
{
    fputs(".Bl -tag -width Ds\n", stdout);
    for (size_t i = 0; is_overview(page) && i < command_group_count; i++) {
        printf(".It Xr pushwire-%s 1\n", command_groups[i].name);
        put_sentence(command_groups[i].help);
    }
    for (size_t i = 0; i < command_count; i++) {
        const struct command *command = &command_table[i];
        if (!is_mine(page, command))
            continue;
        printf(".It Cm %s %s", command->verb, command->args ? "Ar " : "");
        put_text(command->args ? command->args : "");
        putchar('\n');
        put_sentence(command->help);
    }
    fputs(".El\n", stdout);
}

static void
make_option(const struct page *page, size_t id)
{
    const struct option *option = &option_table[id];

    fputs(".It ", stdout);
    put_flag(option);
    putchar('\n');
    put_sentence(option->help);
    if (option->word) {
        fputs(option->type == OPTION_WORDS ? "Some of, with commas between:\n"
                                           : "One of:\n",
              stdout);
        for (unsigned i = 0; option->word(i); i++)
            printf("%s%s", i ? " , " : ".Cm ", option->word(i));
        fputs(" .\n", stdout);
    }
    if (option->fallback)
        printf("Default: %s.\n", option->fallback);
    if (option->variable)
        printf("Variable:\n.Ev %s .\n", option->variable);
    put_takers(page, id);
}

static void
make_options(const struct page *page)
{
    option_set set = all_options(page);

    size_t n = 0;
    const char *written = find_written(page, "OPTIONS", &n);

    fputs(".Bl -tag -width Ds", stdout);
    printf("%.*s\n", (int)n, written ? written : "");
    for (size_t id = 0; id < OPTIONS; id++) {
        if (option_in(set, id) && !is_written(page, &option_table[id]))
            make_option(page, id);
    }
    fputs(".It Fl -help\nShow what it takes and end.\n"
          ".It Fl -version\nShow the version and end.\n.El\n"
          ".Pp\nA value follows its flag as the next word or behind an equals sign.\n",
          stdout);
}

static void
make_exit_status(const struct page *page)
{
    (void)page;
    fputs(".Bl -tag -width Ds\n.It 0\nDone.\n.It 1\nRefused or failed; standard error "
          "says why and what to do.\n.It 2\nWrong usage.\n.El\n",
          stdout);
}

static void
make_see_also(const struct page *page)
{
    static const char *const pages[] = {"",       "-call",  "-channel",
                                        "-event", "-serve", "-webhook"};
    bool first = true;

    for (size_t i = is_overview(page); i < ARRAY_LEN(pages); i++) {
        if (*pages[i] && strcmp(pages[i] + 1, page->group) == 0)
            continue;
        printf("%s.Xr pushwire%s 1", first ? "" : " ,\n", pages[i]);
        first = false;
    }
    putchar('\n');
}

/* ---- the page ---- */

/* In the order that mdoc(7) asks for; what a person added stands where it is NULL. */
static const struct section {
    const char *name;
    void (*make)(const struct page *page);
} sections[] = {
    {"NAME", make_name},
    {"SYNOPSIS", make_synopsis},
    {"DESCRIPTION", make_description},
    {"COMMANDS", make_commands},
    {"OPTIONS", make_options},
    {NULL, NULL},
    {"ENVIRONMENT", NULL},
    {"FILES", NULL},
    {"EXIT STATUS", make_exit_status},
    {"EXAMPLES", NULL},
    {"SEE ALSO", make_see_also},
    {"STANDARDS", NULL},
};

static bool
is_known(const char *name, size_t n)
{
    for (size_t i = 0; i < ARRAY_LEN(sections); i++) {
        if (sections[i].name && strlen(sections[i].name) == n &&
            memcmp(sections[i].name, name, n) == 0)
            return true;
    }
    return false;
}

/* Prints the written sections of this name, or with NULL of names that are not known;
 * false if there is none. */
static bool
put_written(const struct page *page, const char *name)
{
    bool any = false;

    for (const char *at = strstr(page->prose, SECTION); at; at = strstr(at, SECTION)) {
        const char *title = at + strlen(SECTION);
        size_t n = strcspn(title, "\n");
        const char *end = strstr(title, SECTION);
        bool wanted = name ? strlen(name) == n && memcmp(title, name, n) == 0
                           : !is_known(title, n);
        if (wanted)
            printf("%.*s\n", (int)(end ? (size_t)(end - at) : strlen(at)) - 1, at + 1);
        any |= wanted;
        at = title;
    }
    return any;
}

/* A command without verbs has no list of commands, one without options none of these.
 */
static bool
is_empty(const struct page *page, const struct section *section)
{
    if (section->make == make_options)
        return is_overview(page);
    if (section->make != make_commands || is_overview(page))
        return false;
    for (size_t i = 0; i < command_count; i++) {
        if (is_mine(page, &command_table[i]) && command_table[i].verb)
            return false;
    }
    return true;
}

static void
put_page(const struct page *page)
{
    printf(".\\\" Made from the tables of commands and options: man/pages.c.\n"
           ".Dd " DATE "\n.Dt ");
    for (const char *p = is_overview(page) ? "" : "PUSHWIRE-"; *p; p++)
        putchar(*p);
    for (const char *p = page->group; *p; p++)
        putchar(*p >= 'a' && *p <= 'z' ? *p - 'a' + 'A' : *p);
    fputs(" 1\n.Os\n", stdout);
    for (size_t i = 0; i < ARRAY_LEN(sections); i++) {
        const struct section *section = &sections[i];
        /* In these what was written has its place. */
        bool within =
            section->make == make_description || section->make == make_options;
        bool written = !within && put_written(page, section->name);
        if (written || !section->make || is_empty(page, section))
            continue;
        printf(".Sh %s\n", section->name);
        section->make(page);
    }
}

int
main(int argc, char **argv)
{
    struct page page = {.group = argc > 1 ? argv[1] : ""};
    struct err err = {0};
    char *prose = NULL;
    size_t n = 0;

    if (is_overview(&page))
        page.help = "deliver the events of a push-notification platform to webhooks";
    for (size_t i = 0; i < command_group_count; i++) {
        if (strcmp(command_groups[i].name, page.group) == 0)
            page.help = command_groups[i].help;
    }
    if (!page.help) {
        fprintf(stderr, "pages: no command is called %s\n", page.group);
        return 1;
    }
    if (argc > 2 && file_read(argv[2], PROSE_MAX, &prose, &n, &err) != 0) {
        fprintf(stderr, "pages: %s\n", err.text);
        return 1;
    }
    while (n && prose[n - 1] == '\n')
        prose[--n] = '\0';
    /* So that a section at its very beginning is found like the others. */
    page.prose = malloc(n + 2);
    if (!page.prose)
        return 1;
    page.prose[0] = n ? '\n' : '\0';
    memcpy(page.prose + 1, n ? prose : "", n + 1);
    put_page(&page);
    free(page.prose);
    free(prose);
    return fflush(stdout) == 0 ? 0 : 1;
}
