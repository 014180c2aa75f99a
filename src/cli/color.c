#include "cli/color.h"

#include <stdlib.h>

#include "cli/table.h"

static enum color_when chosen = COLOR_AUTO;

/* The sixteen colours of the terminal's own theme, which is light or dark. */
static const char *const sequences[PAINTS] = {
    [PAINT_NONE] = "",           [PAINT_HEADING] = "\033[1m", [PAINT_GOOD] = "\033[32m",
    [PAINT_UNSURE] = "\033[33m", [PAINT_BAD] = "\033[31m",    [PAINT_OVER] = "\033[2m",
};

static const struct {
    const char *word;
    enum paint paint;
} words[] = {
    {"ok", PAINT_GOOD},          {"succeeded", PAINT_GOOD}, {"done", PAINT_GOOD},
    {"waiting", PAINT_UNSURE},   {"held", PAINT_UNSURE},    {"paused", PAINT_UNSURE},
    {"temporary", PAINT_UNSURE}, {"warning", PAINT_UNSURE}, {"failed", PAINT_BAD},
    {"gone", PAINT_BAD},         {"problem", PAINT_BAD},    {"cancelled", PAINT_OVER},
};

const char *
color_when_name(unsigned at)
{
    static const char *const names[] = {"auto", "always", "never"};
    return at < ARRAY_LEN(names) ? names[at] : NULL;
}

void
color_set(enum color_when when)
{
    chosen = when;
}

static bool
has_colors(FILE *out)
{
    const char *no_color = getenv("NO_COLOR");
    const char *terminal = getenv("TERM");

    if (chosen != COLOR_AUTO)
        return chosen == COLOR_ALWAYS;
    /* Set but empty it asks for nothing: https://no-color.org */
    return is_terminal(out) && !(no_color && *no_color) && terminal && *terminal &&
           strcmp(terminal, "dumb") != 0;
}

enum paint
color_of_word(struct slice word)
{
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (slice_is(word, words[i].word))
            return words[i].paint;
    }
    return PAINT_NONE;
}

const char *
color_begin(FILE *out, enum paint paint)
{
    return paint != PAINT_NONE && has_colors(out) ? sequences[paint] : "";
}

const char *
color_end(FILE *out, enum paint paint)
{
    return paint != PAINT_NONE && has_colors(out) ? "\033[0m" : "";
}
