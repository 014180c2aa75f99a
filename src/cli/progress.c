#include "cli/progress.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/clock.h"
#include "cli/table.h"

#define SHOW_EVERY_US  (200 * 1000)
#define PLAIN_EVERY_US (5 * 1000 * 1000)

/* Before this a rate is a guess, and so is what is left. */
#define SURE_AFTER_US (500 * 1000)

#define BAR_MIN  8
#define BAR_MAX  40
#define TEXT_MAX 400

void
progress_init(struct progress *progress, const char *unit)
{
    *progress = (struct progress){
        .unit = unit,
        .terminal = is_terminal(stderr),
    };
}

/* ---- the text ---- */

static void
add_count(struct buf *out, const struct progress *progress, double n)
{
    if (progress->unit)
        buf_addf(out, "%.0f", n);
    else
        buf_addf(out, "%.1f MiB", n / (1 << 20));
}

static void
add_time(struct buf *out, double seconds)
{
    int64_t s = (int64_t)(seconds + 0.999);

    if (s < 120)
        buf_addf(out, "%lld s", (long long)s);
    else if (s < 2 * 3600)
        buf_addf(out, "%lld min", (long long)(s + 59) / 60);
    else if (s < 100 * 3600)
        buf_addf(out, "%lld h", (long long)(s + 3599) / 3600);
    else
        buf_adds(out, "days");
}

static void
add_bar(struct buf *out, size_t width, double share)
{
    size_t full = (size_t)((double)width * share);

    buf_addc(out, '[');
    for (size_t i = 0; i < width; i++)
        buf_addc(out, i < full ? '#' : '-');
    buf_addc(out, ']');
}

static void
add_figures(struct buf *out, const struct progress *progress, int64_t n, double share,
            double rate, double left_s)
{
    if (share >= 0)
        buf_addf(out, "%3d %%  ", (int)(share * 100));
    add_count(out, progress, (double)n);
    if (progress->unit)
        buf_addf(out, " %s", progress->unit);
    if (rate >= 0) {
        buf_adds(out, ", ");
        add_count(out, progress, rate);
        buf_adds(out, " a second");
    }
    if (left_s >= 0) {
        buf_adds(out, ", ");
        add_time(out, left_s);
        buf_adds(out, " left");
    }
}

void
progress_line(struct buf *out, const struct progress *progress, size_t columns,
              int64_t n, double share, double rate, double left_s)
{
    struct buf figures;

    buf_init(&figures, TEXT_MAX);
    if (share > 1)
        share = 1;
    add_figures(&figures, progress, n, share, rate, left_s);
    /* The last column stays free: some terminals go to the next line there. */
    size_t taken = figures.n + 4;
    size_t width = columns > taken ? columns - taken : 0;
    if (share >= 0 && width >= BAR_MIN) {
        add_bar(out, width < BAR_MAX ? width : BAR_MAX, share);
        buf_addc(out, ' ');
    }
    struct slice text = buf_slice(&figures);
    if (columns && text.n >= columns)
        text.n = columns - 1;
    buf_add(out, text.p, text.n);
    buf_fini(&figures);
}

/* ---- showing it ---- */

static bool
is_off(const struct progress *progress)
{
    return progress->quiet || (!progress->terminal && !progress->plain);
}

static void
put_line(struct progress *progress, struct slice text)
{
    if (progress->terminal) /* what stood there may have been longer */
        fprintf(stderr, "\r%.*s\033[K", (int)text.n, text.p);
    else
        fprintf(stderr, "%.*s\n", (int)text.n, text.p);
    fflush(stderr);
    progress->shown = progress->terminal;
}

/* Whether it is time for another line. The first one of a terminal comes at once. */
static bool
is_time(struct progress *progress)
{
    usec_t now_us = clock_mono_us(&clock_system);
    usec_t every_us = progress->terminal ? SHOW_EVERY_US : PLAIN_EVERY_US;
    bool first = !progress->begun;

    if (!first && now_us - progress->shown_us < every_us)
        return false;
    progress->shown_us = now_us;
    if (!first)
        return true;
    progress->begun = true;
    progress->began_us = now_us;
    progress->began_n = progress->n;
    progress->began_share = progress->share;
    return progress->terminal;
}

static void
put_state(struct progress *progress)
{
    usec_t took_us = clock_mono_us(&clock_system) - progress->began_us;
    double share = progress->share, rate = -1, left_s = -1;
    struct buf text;

    if (took_us >= SURE_AFTER_US) {
        double done = share - progress->began_share;
        rate = (double)(progress->n - progress->began_n) * 1e6 / (double)took_us;
        if (share >= 0 && share < 1 && done > 0)
            left_s = (1 - share) / done * (double)took_us / 1e6;
    }
    buf_init(&text, TEXT_MAX);
    progress_line(&text, progress, progress->terminal ? screen_columns(stderr) : 0,
                  progress->n, share, rate, left_s);
    put_line(progress, buf_slice(&text));
    buf_fini(&text);
    progress->stale = false;
}

void
progress_show(struct progress *progress, int64_t n, double share)
{
    if (is_off(progress))
        return;
    progress->n = n;
    progress->share = share;
    progress->stale = true;
    if (is_time(progress))
        put_state(progress);
}

void
progress_say(struct progress *progress, const char *fmt, ...)
{
    char text[TEXT_MAX];
    va_list args;

    if (is_off(progress))
        return;
    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    struct slice line = slice_of(text);
    size_t columns = progress->terminal ? screen_columns(stderr) : 0;
    if (columns && line.n >= columns)
        line.n = columns - 1;
    put_line(progress, line);
}

void
progress_end(struct progress *progress)
{
    if (progress->shown && progress->stale)
        put_state(progress);
    if (progress->shown)
        fputc('\n', stderr);
    progress->shown = false;
}

void
progress_wipe(struct progress *progress)
{
    if (progress->shown)
        fputs("\r\033[K", stderr);
    progress->shown = false;
}
