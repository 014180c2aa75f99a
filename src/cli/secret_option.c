#include "cli/secret_option.h"

#include "base/buf.h"
#include "cli/input.h"

#define SECRET_FILE_MAX 4096

static int
read_line(const char *path, char **out, struct err *err)
{
    struct buf text;

    buf_init_mem(&text, SECRET_FILE_MAX, &mem_secret);
    int rc = input_read(&text, path, err);
    size_t n = text.p ? strcspn(text.p, "\r\n") : 0;
    if (rc == 0 && n == 0)
        rc = err_set(err, E_INVALID, "%s: there is nothing in its first line",
                     input_name(path));
    if (rc == 0)
        *out = xstrndup(text.p, n);
    buf_fini(&text);
    return rc;
}

int
secret_option(const struct options *options, enum option_id text, enum option_id file,
              char **out, struct err *err)
{
    enum option_source by_text = option_source(options, text);
    enum option_source by_file = option_source(options, file);

    *out = NULL;
    if (by_text == OPTION_BY_FLAG && by_file == OPTION_BY_FLAG)
        return err_set(err, E_INVALID, "--%s and --%s exclude each other",
                       option_table[text].name, option_table[file].name);
    if (by_file != OPTION_BY_DEFAULT && by_file >= by_text) {
        int rc = read_line(option_text(options, file), out, err);
        return rc == 0 ? 0 : err_wrap(err, "--%s", option_table[file].name);
    }
    if (by_text != OPTION_BY_DEFAULT)
        *out = xstrdup(option_text(options, text));
    return 0;
}
