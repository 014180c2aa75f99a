/* pushwire completion: scripts for bash and zsh that know all commands, options and the
 * words that options take, made from the tables. */
#include <stdio.h>

#include "base/buf.h"
#include "cli/command.h"
#include "core/event.h"

#define TEXT_MAX ((size_t)64 << 10)

/* What may stand for a value or a word that is no option. */
enum filler { FILL_NOTHING, FILL_FILES, FILL_FOLDERS, FILL_WORD, FILL_WORDS };

static enum filler
filler_of(const struct option *option)
{
    if (option->word)
        return option->type == OPTION_WORDS ? FILL_WORDS : FILL_WORD;
    if (option->value && strcmp(option->value, "FILE") == 0)
        return FILL_FILES;
    return option->value && strcmp(option->value, "DIR") == 0 ? FILL_FOLDERS
                                                              : FILL_NOTHING;
}

static const char *
shell(unsigned at)
{
    static const char *const names[] = {"bash", "zsh"};
    return at < ARRAY_LEN(names) ? names[at] : NULL;
}

static const char *
group(unsigned at)
{
    return at < command_group_count ? command_groups[at].name : NULL;
}

static const char *
type(unsigned at)
{
    return at < EVENT_TYPES ? event_type_name((enum event_type)at) : NULL;
}

/* What a command's words are, by what help calls them; NULL = any. */
static const char *(*words_of(const struct command *command))(unsigned at)
{
    static const struct {
        const char *args;
        const char *(*word)(unsigned at);
    } known[] = {{"SHELL", shell}, {"[COMMAND]", group}, {"[TYPE]", type}};

    for (size_t i = 0; command->args && i < ARRAY_LEN(known); i++) {
        if (strcmp(known[i].args, command->args) == 0)
            return known[i].word;
    }
    return NULL;
}

static bool
takes_file(const struct command *command)
{
    return command->args && strcmp(command->args, "FILE") == 0;
}

static void
add_words(struct buf *out, const char *(*word)(unsigned at))
{
    for (unsigned i = 0; word(i); i++)
        buf_addf(out, "%s%s", i ? " " : "", word(i));
}

/* "call list", as the scripts call the command. */
static void
add_key(struct buf *out, const struct command *command)
{
    buf_addf(out, "%s%s%s", command->name, command->verb ? " " : "",
             command->verb ? command->verb : "");
}

static bool
has_verbs(const char *name)
{
    for (size_t i = 0; i < command_count; i++) {
        if (strcmp(command_table[i].name, name) == 0)
            return command_table[i].verb;
    }
    return false;
}

static void
add_verbs(struct buf *out, const char *name)
{
    bool first = true;

    for (size_t i = 0; i < command_count; i++) {
        if (strcmp(command_table[i].name, name) != 0)
            continue;
        buf_addf(out, "%s%s", first ? "" : " ", command_table[i].verb);
        first = false;
    }
}

/* ---- bash ---- */

static const char bash_head[] =
    "# Completion of pushwire for bash; `pushwire completion bash` prints it.\n"
    "# shellcheck shell=bash\n"
    "_pushwire() {\n"
    "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}\n"
    "    local key=${COMP_WORDS[1]} at=2 words='' fill='' verbs='' options='' each\n"
    "    COMPREPLY=()\n"
    "    # --option=value comes as three words.\n"
    "    if [[ $cur == = ]]; then\n"
    "        cur=''\n"
    "    elif [[ $prev == = ]]; then\n"
    "        prev=${COMP_WORDS[COMP_CWORD - 2]}\n"
    "    fi\n";

static const char bash_tail[] =
    "    if [[ ! $fill ]]; then\n"
    "        if [[ $cur == -* || ! $words ]]; then\n"
    "            words=\"$options --help --version\"\n"
    "        fi\n"
    "    fi\n"
    "    case $fill in\n"
    "    nothing) ;;\n"
    "    files)\n"
    "        compopt -o filenames 2>/dev/null\n"
    "        mapfile -t COMPREPLY < <(compgen -f -- \"$cur\")\n"
    "        ;;\n"
    "    folders)\n"
    "        compopt -o filenames 2>/dev/null\n"
    "        mapfile -t COMPREPLY < <(compgen -d -- \"$cur\")\n"
    "        ;;\n"
    "    list)\n"
    "        local before=''\n"
    "        [[ $cur == *,* ]] && before=${cur%,*},\n"
    "        compopt -o nospace 2>/dev/null\n"
    "        for each in $words; do\n"
    "            [[ ,$before == *,$each,* || $before$each != \"$cur\"* ]] ||\n"
    "                COMPREPLY+=(\"$before$each\")\n"
    "        done\n"
    "        ;;\n"
    "    *) mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$cur\") ;;\n"
    "    esac\n"
    "}\n"
    "complete -F _pushwire pushwire\n";

static void
bash_commands(struct buf *out)
{
    buf_adds(out, "    if ((COMP_CWORD == 1)); then\n        words='");
    add_words(out, group);
    buf_adds(out,
             " --help --version'\n"
             "        mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$cur\")\n"
             "        return\n    fi\n    case $key in\n");
    for (size_t i = 0; i < command_group_count; i++) {
        if (!has_verbs(command_groups[i].name))
            continue;
        buf_addf(out, "    %s) verbs='", command_groups[i].name);
        add_verbs(out, command_groups[i].name);
        buf_adds(out, "' ;;\n");
    }
    buf_adds(out, "    esac\n"
                  "    if [[ $verbs ]]; then\n"
                  "        key=\"$key ${COMP_WORDS[2]}\" at=3\n"
                  "    fi\n"
                  "    if ((COMP_CWORD < at)); then\n"
                  "        mapfile -t COMPREPLY < <(compgen -W \"$verbs --help\" -- "
                  "\"$cur\")\n"
                  "        return\n    fi\n");
}

static void
bash_options(struct buf *out)
{
    buf_adds(out, "    case $key in\n");
    for (size_t i = 0; i < command_count; i++) {
        const struct command *command = &command_table[i];
        buf_adds(out, "    '");
        add_key(out, command);
        buf_adds(out, "')\n        options='");
        for (size_t id = 0; id < OPTIONS; id++) {
            if (option_in(command->options, id))
                buf_addf(out, "--%s ", option_table[id].name);
        }
        buf_adds(out, "'\n");
        if (words_of(command)) {
            buf_adds(out, "        words='");
            add_words(out, words_of(command));
            buf_adds(out, "'\n");
        }
        if (takes_file(command))
            buf_adds(out, "        [[ $cur == -* ]] || fill=files\n");
        buf_adds(out, "        ;;\n");
    }
    buf_adds(out, "    esac\n");
}

/* The commands whose option of this name is this one. */
static void
bash_pattern(struct buf *out, size_t id)
{
    bool first = true;

    for (size_t i = 0; i < command_count; i++) {
        if (!option_in(command_table[i].options, id))
            continue;
        buf_adds(out, first ? "    '" : " | '");
        add_key(out, &command_table[i]);
        buf_addf(out, " --%s'", option_table[id].name);
        first = false;
    }
    buf_adds(out, ")");
}

static void
bash_values(struct buf *out)
{
    static const char *const names[] = {[FILL_NOTHING] = "nothing",
                                        [FILL_FILES] = "files",
                                        [FILL_FOLDERS] = "folders",
                                        [FILL_WORD] = "word",
                                        [FILL_WORDS] = "list"};

    buf_adds(out, "    case \"$key $prev\" in\n");
    for (size_t id = 0; id < OPTIONS; id++) {
        const struct option *option = &option_table[id];
        if (option->type == OPTION_BOOL)
            continue;
        bash_pattern(out, id);
        buf_addf(out, " fill=%s", names[filler_of(option)]);
        if (option->word) {
            buf_adds(out, " words='");
            add_words(out, option->word);
            buf_adds(out, "'");
        }
        buf_adds(out, " ;;\n");
    }
    buf_adds(out, "    esac\n");
}

static void
bash_script(struct buf *out)
{
    buf_adds(out, bash_head);
    bash_commands(out);
    bash_options(out);
    bash_values(out);
    buf_adds(out, bash_tail);
}

/* ---- zsh ---- */

/* Inside single quotes, with a backslash before each of `special`. */
static void
zsh_text(struct buf *out, const char *text, const char *special)
{
    for (; *text; text++) {
        if (*text == '\'')
            buf_adds(out, "'\\''");
        else if (strchr(special, *text))
            buf_addf(out, "\\%c", *text);
        else
            buf_addc(out, *text);
    }
}

static void
zsh_row(struct buf *out, const char *name, const char *help)
{
    buf_addf(out, "        '%s:", name);
    zsh_text(out, help, "\\");
    buf_adds(out, "'\n");
}

static void
zsh_groups(struct buf *out)
{
    buf_adds(out, "#compdef pushwire\n"
                  "# Completion of pushwire for zsh; `pushwire completion zsh` prints "
                  "it.\n"
                  "_pushwire() {\n    local -a rows\n    local key=$words[2]\n"
                  "    if (( CURRENT == 2 )); then\n        rows=(\n");
    for (size_t i = 0; i < command_group_count; i++)
        zsh_row(out, command_groups[i].name, command_groups[i].help);
    buf_adds(out, "        )\n        _describe -t commands command rows\n"
                  "        return\n    fi\n    case $key in\n");
    for (size_t i = 0; i < command_group_count; i++) {
        const char *name = command_groups[i].name;
        if (!has_verbs(name))
            continue;
        buf_addf(out, "    (%s)\n        rows=(\n", name);
        for (size_t c = 0; c < command_count; c++) {
            if (strcmp(command_table[c].name, name) == 0)
                zsh_row(out, command_table[c].verb, command_table[c].help);
        }
        buf_adds(out, "        )\n        ;;\n");
    }
    buf_adds(out, "    esac\n"
                  "    shift words\n    (( CURRENT-- ))\n"
                  "    if (( $#rows )); then\n"
                  "        if (( CURRENT == 2 )); then\n"
                  "            _describe -t verbs verb rows\n"
                  "            return\n        fi\n"
                  "        key=\"$key $words[2]\"\n"
                  "        shift words\n        (( CURRENT-- ))\n    fi\n");
}

static void
zsh_filler(struct buf *out, enum filler filler, const char *(*word)(unsigned at))
{
    static const char *const before[] = {[FILL_NOTHING] = " ",
                                         [FILL_FILES] = "_files",
                                         [FILL_FOLDERS] = "_files -/",
                                         [FILL_WORD] = "(",
                                         [FILL_WORDS] = "_sequence compadd - "};

    buf_adds(out, before[filler]);
    if (word)
        add_words(out, word);
    buf_adds(out, filler == FILL_WORD ? ")" : "");
}

static void
zsh_option(struct buf *out, const struct option *option)
{
    bool value = option->type != OPTION_BOOL;

    buf_addf(out, "            '%s--%s%s[", option->repeated ? "*" : "", option->name,
             value ? "=" : "");
    zsh_text(out, option->help, "[]\\");
    buf_adds(out, "]");
    if (value) {
        buf_adds(out, ":");
        zsh_text(out, option->value, ":\\");
        buf_adds(out, ":");
        zsh_filler(out, filler_of(option), option->word);
    }
    buf_adds(out, "' \\\n");
}

static void
zsh_command(struct buf *out, const struct command *command)
{
    buf_adds(out, "    ('");
    add_key(out, command);
    buf_adds(out, "')\n        _arguments -S \\\n");
    for (size_t id = 0; id < OPTIONS; id++) {
        if (option_in(command->options, id))
            zsh_option(out, &option_table[id]);
    }
    if (command->args) {
        const char *(*word)(unsigned at) = words_of(command);
        buf_addf(out, "            '%s:", command->max_args > 1 ? "*" : "1");
        zsh_text(out, command->args, ":\\");
        buf_adds(out, ":");
        zsh_filler(out,
                   word                  ? FILL_WORD
                   : takes_file(command) ? FILL_FILES
                                         : FILL_NOTHING,
                   word);
        buf_adds(out, "' \\\n");
    }
    buf_adds(out, "            '--help[show what it takes]' "
                  "'--version[show the version]'\n        ;;\n");
}

static void
zsh_script(struct buf *out)
{
    zsh_groups(out);
    buf_adds(out, "    case $key in\n");
    for (size_t i = 0; i < command_count; i++)
        zsh_command(out, &command_table[i]);
    buf_adds(out, "    esac\n}\n"
                  "if [[ $zsh_eval_context[-1] == loadautofunc ]]; then\n"
                  "    _pushwire \"$@\"\nelse\n    compdef _pushwire pushwire\nfi\n");
}

/* ---- the command ---- */

int
completion_run(const struct command_line *line)
{
    struct buf script;

    buf_init(&script, TEXT_MAX * 8);
    if (strcmp(line->args[0], "bash") == 0) {
        bash_script(&script);
    } else if (strcmp(line->args[0], "zsh") == 0) {
        zsh_script(&script);
    } else {
        buf_fini(&script);
        return command_misused(line, "expected bash or zsh, not %s", line->args[0]);
    }
    fwrite(script.p, 1, script.n, stdout);
    buf_fini(&script);
    return DONE;
}
