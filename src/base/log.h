/*
 * One line per fact, fixed keys, ids first, so that a person can grep one call's whole
 * life and a program can parse it. Text for people,
 *   2024-03-04T09:50:51.375Z info attempt call=call_… webhook=wh_… n=2 verdict=…
 * or one JSON object a line. Values are escaped: a line is always one line.
 *
 * Each thread formats into a buffer of its own; log_flush writes it out. Lines of level
 * warn and above, and all lines of a thread that did not ask to buffer, leave at once.
 */
#pragma once

#include "base/clock.h"
#include "base/types.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

enum log_field_type { LOG_FIELD_STR, LOG_FIELD_SLICE, LOG_FIELD_INT, LOG_FIELD_MS };

struct log_field {
    const char *key;
    enum log_field_type type;
    struct slice text; /* left out when p is NULL */
    int64_t number;    /* LOG_FIELD_MS: microseconds, printed as milliseconds with 3
                          decimals */
};

#define LOG_S(key, string)  ((struct log_field){key, LOG_FIELD_STR, slice_of(string), 0})
#define LOG_SL(key, slice)  ((struct log_field){key, LOG_FIELD_SLICE, slice, 0})
#define LOG_I(key, integer) ((struct log_field){key, LOG_FIELD_INT, {0}, integer})
#define LOG_US(key, micros) ((struct log_field){key, LOG_FIELD_MS, {0}, micros})

#define log_line(level, what, ...)                                                     \
    log_write(level, what, (const struct log_field[]){__VA_ARGS__},                    \
              sizeof((const struct log_field[]){__VA_ARGS__}) /                        \
                  sizeof(struct log_field))

/* Before any thread starts. `fd` stays the caller's. */
void log_setup(struct clock *clock, int fd, enum log_level least, bool json);
bool log_enabled(enum log_level level);
void log_write(enum log_level level, const char *what, const struct log_field *fields,
               size_t n);
/* A sentence for people; printed as msg=… */
void log_msg(enum log_level level, const char *fmt, ...) printf_like(2, 3);

void log_buffer_thread(
    void); /* this thread calls log_flush itself, at the end of its turns */
void log_flush(void);
