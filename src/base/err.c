#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>

int
err_set(struct err *err, int code, const char *fmt, ...)
{
    if (err) {
        va_list args;
        va_start(args, fmt);
        vsnprintf(err->text, sizeof(err->text), fmt, args);
        va_end(args);
        err->code = code;
    }
    return code;
}

int
err_wrap(struct err *err, const char *fmt, ...)
{
    if (!err)
        return E_INVALID;

    char inner[sizeof(err->text)];
    memcpy(inner, err->text, sizeof(inner));

    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(err->text, sizeof(err->text), fmt, args);
    va_end(args);

    size_t used = n < 0 ? 0 : (size_t)n;
    if (used + 3 > sizeof(err->text)) /* no room for ": " and anything after it */
        return err->code;
    memcpy(err->text + used, ": ", 2);
    used += 2;
    size_t room = sizeof(err->text) - used - 1;
    size_t take = strnlen(inner, room);
    memcpy(err->text + used, inner, take);
    err->text[used + take] = '\0';
    return err->code;
}
