#include "cli/config_file.h"

#include <ini.h>
#include <stdlib.h>

#include "base/iofd.h"

#define CONFIG_FILE_MAX ((size_t)256 << 10)

struct reading {
    struct options *options;
    option_set taken;
    const char *path;
    const char *at; /* what is left of the text */
    int line;       /* of the line that inih looks at */
    int rc;
    struct err *err;
};

static void
refuse(struct reading *reading, int code)
{
    err_wrap(reading->err, "%s:%d", reading->path, reading->line);
    reading->rc = code;
}

/* What inih would swallow: it cuts long lines in two, keeps a section's name to itself,
 * and goes on after a line that says nothing. NULL if the line is fine. */
static const char *
complaint(const char *line, size_t n, size_t max)
{
    if (n > max)
        return "the line is too long";
    if (n > 0 && line[0] == '[')
        return "there are no sections, only name = value";
    bool empty = n == 0 || strchr(";#\r", line[0]);
    if (!empty && !memchr(line, '=', n) && !memchr(line, ':', n))
        return "expected name = value";
    return NULL;
}

/* Hands inih one line at a time, without the white space before it, which would make it
 * go on with the line above. After anything refused there is no more to read. */
static char *
next_line(char *out, int cap, void *arg)
{
    struct reading *reading = arg;

    if (reading->rc != 0 || !*reading->at)
        return NULL;
    reading->line++;
    reading->at += strspn(reading->at, " \t");
    size_t n = strcspn(reading->at, "\n");
    const char *bad = complaint(reading->at, n, (size_t)cap - 2);
    if (bad) {
        refuse(reading, err_set(reading->err, E_INVALID, "%s", bad));
        return NULL;
    }
    memcpy(out, reading->at, n);
    out[n] = '\n';
    out[n + 1] = '\0';
    reading->at += n;
    reading->at += *reading->at == '\n';
    return out;
}

static int
on_pair(void *arg, const char *section, const char *name, const char *value)
{
    struct reading *reading = arg;

    (void)section;
    if (reading->rc != 0)
        return 0;
    int rc = options_from_pair(reading->options, reading->taken, name,
                               value ? value : "", reading->err);
    if (rc != 0)
        refuse(reading, rc);
    return rc == 0;
}

int
config_file_read(struct options *options, option_set taken, const char *path,
                 struct err *err)
{
    char *text;
    size_t n;
    int rc = file_read(path, CONFIG_FILE_MAX, &text, &n, err);
    if (rc != 0)
        return rc;
    if (strlen(text) != n) {
        free(text);
        return err_set(err, E_INVALID, "%s: holds a NUL byte", path);
    }

    struct reading reading = {options, taken, path, text, 0, 0, err};
    int line = ini_parse_stream(next_line, &reading, on_pair, &reading);
    free(text);
    if (reading.rc != 0)
        return reading.rc;
    if (line != 0)
        return err_set(err, E_INVALID, "%s:%d: expected name = value", path, line);
    return 0;
}
