#include "base/log.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/timefmt.h"

#define LINE_MAX_BYTES   8192
#define BUFFER_MAX_BYTES ((size_t)64 * 1024)
#define MESSAGE_MAX      2048

#define CUT "\xe2\x80\xa6" /* … */

/* What must still fit after a value was cut: CUT, a quote, a brace, a newline. */
#define LINE_TAIL 8

static struct {
    struct clock *clock;
    int fd;
    enum log_level least;
    bool json;
} settings = {&clock_system, STDERR_FILENO, LOG_INFO, false};

/* A pipe takes a long write in pieces; this keeps two threads' pieces apart. */
static pthread_mutex_t write_lock = PTHREAD_MUTEX_INITIALIZER;

struct thread_log {
    char *p;
    size_t n;
    size_t cap;
    bool buffered;
    /* "2024-03-04T09:50:51" of this second, since lines come many a second */
    int64_t second;
    char second_text[TIME_TEXT];
};

static _Thread_local struct thread_log *mine;
static pthread_key_t thread_key;
static pthread_once_t thread_key_once = PTHREAD_ONCE_INIT;

/* A line being made, at the end of the thread's buffer. */
struct line {
    char *p;
    size_t n;
    bool json;
    bool full; /* a value was cut: what follows is left out */
};

static const char *const level_names[] = {"debug", "info", "warn", "error"};

void
log_setup(struct clock *clock, int fd, enum log_level least, bool json)
{
    settings.clock = clock;
    settings.fd = fd;
    settings.least = least;
    settings.json = json;
}

bool
log_enabled(enum log_level level)
{
    return level >= settings.least;
}

/* ---- the thread's buffer ---- */

static void
write_out(struct thread_log *log)
{
    const char *p = log->p;
    size_t n = log->n;

    log->n = 0;
    if (n == 0)
        return;
    pthread_mutex_lock(&write_lock);
    while (n) {
        ssize_t done = write(settings.fd, p, n);
        if (done >= 0) {
            p += done;
            n -= (size_t)done;
        } else if (errno == EAGAIN) {
            struct pollfd wait = {settings.fd, POLLOUT, 0};
            poll(&wait, 1, -1);
        } else if (errno != EINTR) {
            break; /* nowhere left to say it */
        }
    }
    pthread_mutex_unlock(&write_lock);
}

static void
thread_log_free(void *arg)
{
    struct thread_log *log = arg;

    write_out(log);
    free(log->p);
    free(log);
    mine = NULL;
}

static void
make_thread_key(void)
{
    if (pthread_key_create(&thread_key, thread_log_free) != 0)
        abort();
}

static struct thread_log *
thread_log(void)
{
    if (!mine) {
        pthread_once(&thread_key_once, make_thread_key);
        mine = xcalloc(1, sizeof(*mine));
        mine->second = INT64_MIN;
        mine->cap = LINE_MAX_BYTES;
        mine->p = xmalloc(mine->cap);
        pthread_setspecific(thread_key, mine);
    }
    return mine;
}

void
log_buffer_thread(void)
{
    struct thread_log *log = thread_log();

    log->buffered = true;
    log->cap = BUFFER_MAX_BYTES;
    log->p = xrealloc(log->p, log->cap);
}

void
log_flush(void)
{
    if (mine)
        write_out(mine);
}

/* ---- values ---- */

enum { PLAIN, QUOTED, ESCAPED, MULTIBYTE };

/* What a byte asks for in the text form. A backslash stands for itself unless the value
 * is quoted anyway. */
static unsigned
byte_class(unsigned char c)
{
    if (c >= 0x80)
        return MULTIBYTE;
    if (c < 0x20 || c == 0x7f)
        return ESCAPED;
    return c == ' ' || c == '"' || c == '=' ? QUOTED : PLAIN;
}

/* Bytes of the character at p if it may be printed as it is; 0 if it is not UTF-8, or a
 * control character (U+0080 to U+009F, which some terminals obey). */
static size_t
printable_length(const unsigned char *p, size_t n)
{
    if (p[0] == 0xc2 && n > 1 && p[1] < 0xa0)
        return 0;
    return utf8_length((const char *)p, n);
}

static void
put(struct line *line, const char *bytes, size_t n)
{
    memcpy(line->p + line->n, bytes, n);
    line->n += n;
}

static void
put_char(struct line *line, char c)
{
    line->p[line->n++] = c;
}

static bool
room(const struct line *line, size_t n)
{
    return line->n + n <= LINE_MAX_BYTES - LINE_TAIL;
}

/* The escape of one byte inside quotes; returns its length. */
static size_t
escape(char out[8], unsigned char c, bool json)
{
    static const char hex[] = "0123456789abcdef";
    const char *short_form = c == '"'    ? "\\\""
                             : c == '\\' ? "\\\\"
                             : c == '\n' ? "\\n"
                             : c == '\r' ? "\\r"
                             : c == '\t' ? "\\t"
                                         : NULL;
    if (short_form) {
        memcpy(out, short_form, 2);
        return 2;
    }
    /* A byte that is no character has no JSON escape: its text form is shown. */
    const char *prefix = !json ? "\\x" : c < 0x80 ? "\\u00" : "\\\\x";
    size_t n = strlen(prefix);
    memcpy(out, prefix, n);
    out[n++] = hex[c >> 4];
    out[n++] = hex[c & 15];
    return n;
}

static void
put_escaped(struct line *line, struct slice text)
{
    const unsigned char *p = (const unsigned char *)text.p;
    char escaped[8];

    for (size_t i = 0; i < text.n;) {
        unsigned class = byte_class(p[i]);
        size_t length = class == MULTIBYTE ? printable_length(p + i, text.n - i) : 1;
        bool as_is = class == MULTIBYTE
                         ? length > 0
                         : class != ESCAPED && p[i] != '"' && p[i] != '\\';
        size_t n = as_is ? length : escape(escaped, p[i], line->json);
        if (!room(line, n)) {
            put(line, CUT, sizeof(CUT) - 1);
            line->full = true;
            return;
        }
        put(line, as_is ? text.p + i : escaped, n);
        i += as_is ? length : 1;
    }
}

/* Whether a value may stand without quotes in the text form. */
static bool
is_bare(struct slice text)
{
    const unsigned char *p = (const unsigned char *)text.p;

    for (size_t i = 0; i < text.n;) {
        unsigned class = byte_class(p[i]);
        size_t length = class == MULTIBYTE ? printable_length(p + i, text.n - i) : 1;
        if (class == QUOTED || class == ESCAPED || length == 0)
            return false;
        i += length;
    }
    return text.n > 0;
}

static void
put_text(struct line *line, struct slice text)
{
    if (!line->json && is_bare(text) && room(line, text.n)) {
        put(line, text.p, text.n);
        return;
    }
    put_char(line, '"');
    put_escaped(line, text);
    put_char(line, '"');
}

static void
put_number(struct line *line, int64_t value)
{
    char digits[24];
    size_t at = sizeof(digits);
    uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;

    do {
        digits[--at] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest);
    if (value < 0)
        digits[--at] = '-';
    put(line, digits + at, sizeof(digits) - at);
}

/* Microseconds as milliseconds with three decimals. */
static void
put_ms(struct line *line, int64_t micros)
{
    unsigned part = (unsigned)(micros < 0 ? -(micros % 1000) : micros % 1000);

    if (micros < 0 && micros > -1000)
        put_char(line, '-');
    put_number(line, micros / 1000);
    put_char(line, '.');
    put_char(line, (char)('0' + part / 100));
    put_char(line, (char)('0' + part / 10 % 10));
    put_char(line, (char)('0' + part % 10));
}

/* ---- lines ---- */

static void
put_time(struct line *line, struct thread_log *log)
{
    usec_t now = clock_wall_us(settings.clock);
    int64_t second = now / 1000000;
    unsigned ms = (unsigned)(now / 1000 % 1000);

    if (second != log->second) {
        time_format(log->second_text, second * 1000);
        log->second = second;
    }
    put(line, log->second_text, sizeof("2024-03-04T09:50:51") - 1);
    put_char(line, '.');
    put_char(line, (char)('0' + ms / 100));
    put_char(line, (char)('0' + ms / 10 % 10));
    put_char(line, (char)('0' + ms % 10));
    put_char(line, 'Z');
}

static void
put_key(struct line *line, const char *key)
{
    size_t n = strlen(key);

    if (line->json) {
        put(line, ",\"", 2);
        put(line, key, n);
        put(line, "\":", 2);
    } else {
        put_char(line, ' ');
        put(line, key, n);
        put_char(line, '=');
    }
}

static void
put_field(struct line *line, const struct log_field *field)
{
    bool is_text = field->type == LOG_FIELD_STR || field->type == LOG_FIELD_SLICE;

    if (is_text && !field->text.p)
        return;
    /* the key with its signs, two quotes, or any number */
    if (line->full || !room(line, strlen(field->key) + 32)) {
        line->full = true;
        return;
    }
    put_key(line, field->key);
    if (is_text)
        put_text(line, field->text);
    else if (field->type == LOG_FIELD_MS)
        put_ms(line, field->number);
    else
        put_number(line, field->number);
}

static void
put_head(struct line *line, struct thread_log *log, enum log_level level,
         const char *what)
{
    if (line->json)
        put(line, "{\"time\":\"", 9);
    put_time(line, log);
    if (line->json)
        put(line, "\",\"level\":\"", 11);
    else
        put_char(line, ' ');
    put(line, level_names[level], strlen(level_names[level]));
    if (line->json) {
        put(line, "\",\"event\":", 10);
        put_text(line, slice_of(what));
    } else {
        put_char(line, ' ');
        put_text(line, slice_of(what));
    }
}

void
log_write(enum log_level level, const char *what, const struct log_field *fields,
          size_t n)
{
    if (!log_enabled(level))
        return;

    struct thread_log *log = thread_log();
    if (log->cap - log->n < LINE_MAX_BYTES)
        write_out(log);

    struct line line = {.p = log->p + log->n, .json = settings.json};
    put_head(&line, log, level, what);
    for (size_t i = 0; i < n; i++)
        put_field(&line, &fields[i]);
    if (line.json)
        put_char(&line, '}');
    put_char(&line, '\n');
    log->n += line.n;

    if (!log->buffered || level >= LOG_WARN)
        write_out(log);
}

void
log_msg(enum log_level level, const char *fmt, ...)
{
    char text[MESSAGE_MAX];
    va_list args;

    if (!log_enabled(level))
        return;
    va_start(args, fmt);
    int n = vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    if (n < 0)
        return;
    if ((size_t)n >= sizeof(text))
        memcpy(text + sizeof(text) - sizeof(CUT), CUT, sizeof(CUT));

    struct log_field field = LOG_S("msg", text);
    log_write(level, "message", &field, 1);
}
