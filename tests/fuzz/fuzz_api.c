/*
 * The whole of the API over a connection, before an engine of arrays: bytes of
 * requests, in which $ADMIN and $MANAGE stand for keys. Whatever they are, what comes
 * back is whole answers and nothing else, JSON where they say so, and no event is taken
 * unless an answer says 202.
 */
#include <arpa/inet.h>
#include <assert.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "../unit/fake_engine.h"
#include "api/api.h"
#include "base/buf.h"
#include "base/json.h"
#include "base/mem.h"
#include "fuzz.h"

#define ANSWER_MAX ((size_t)4 << 20)
#define ROUNDS_MAX 2000 /* with one engine: what it has taken stays */

struct world {
    struct engine *engine;
    struct api *api;
    char admin[KEY_TEXT], manage[KEY_TEXT];
    unsigned rounds;
};

static struct world world;

static void
world_close(void)
{
    api_close(world.api);
    fake_engine_free(world.engine);
    world = (struct world){0};
}

static void
world_open(void)
{
    struct err err = {0};

    world.engine = fake_engine_new();
    fake_engine_add_channel(world.engine, "one");
    fake_engine_add_key(world.engine, ROLE_ADMIN, NULL, world.admin);
    fake_engine_add_key(world.engine, ROLE_MANAGE, "one", world.manage);
    const struct api_options options = {
        .engine = world.engine,
        .listen = "127.0.0.1:0",
        .listen_fd = -1,
        .threads = 1,
        .max_connections = 100,
        .max_request_bytes = (size_t)64 * 1024,
        .max_events = 20,
        .body_mem = &mem_heap,
    };
    int rc = api_open(&world.api, &options, &err);
    assert(rc == 0);
}

/* ---- asking ---- */

static size_t
key_at(struct slice text, const char **key)
{
    static const char admin[] = "$ADMIN", manage[] = "$MANAGE";

    if (text.n >= sizeof(admin) - 1 && memcmp(text.p, admin, sizeof(admin) - 1) == 0) {
        *key = world.admin;
        return sizeof(admin) - 1;
    }
    if (text.n >= sizeof(manage) - 1 &&
        memcmp(text.p, manage, sizeof(manage) - 1) == 0) {
        *key = world.manage;
        return sizeof(manage) - 1;
    }
    return 0;
}

static void
with_keys(struct buf *out, struct slice text)
{
    while (text.n > 0) {
        const char *key = NULL;
        size_t n = key_at(text, &key);
        int rc = n ? buf_add(out, key, strlen(key)) : buf_add(out, text.p, 1);
        assert(rc == 0);
        n = n ? n : 1;
        text = (struct slice){text.p + n, text.n - n};
    }
}

static int
connect_to(const char *address)
{
    const char *colon = strrchr(address, ':');
    struct sockaddr_in in = {
        .sin_family = AF_INET,
        .sin_port = htons((uint16_t)strtoul(colon + 1, NULL, 10)),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    struct timeval most = {.tv_sec = 30}; /* what hangs is a bug */
    /* Closed by a reset: thousands a second would use up all ports otherwise. */
    struct linger linger = {.l_onoff = 1};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert(fd >= 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &most, sizeof(most));
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &most, sizeof(most));
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
    int rc = connect(fd, (const struct sockaddr *)&in, sizeof(in));
    assert(rc == 0);
    return fd;
}

/* Sends all, and reads until the other side closes. Returns how many bytes came. */
static size_t
exchange(struct slice request, char *answer)
{
    int fd = connect_to(api_address(world.api));
    size_t n = 0;
    ssize_t got;

    while (request.n > 0) {
        ssize_t sent = send(fd, request.p, request.n, MSG_NOSIGNAL);
        if (sent <= 0)
            break; /* refused before it was all in */
        request = (struct slice){request.p + sent, request.n - (size_t)sent};
    }
    shutdown(fd, SHUT_WR);
    while ((got = recv(fd, answer + n, ANSWER_MAX - n, 0)) > 0)
        n += (size_t)got;
    close(fd);
    return n;
}

/* ---- looking at the answers ---- */

static struct slice
field(struct slice head, const char *name)
{
    size_t n = strlen(name);
    const char *at = head.p, *end = head.p + head.n;

    while ((at = memchr(at, '\n', (size_t)(end - at))) != NULL) {
        at++;
        if ((size_t)(end - at) > n + 1 && strncasecmp(at, name, n) == 0 &&
            at[n] == ':') {
            const char *value = at + n + 1 + strspn(at + n + 1, " ");
            return (struct slice){value, strcspn(value, "\r\n")};
        }
    }
    return (struct slice){0};
}

static void
check_json(struct slice head, struct slice body)
{
    struct slice type = field(head, "Content-Type");
    struct json_doc doc;
    struct json_error error;

    if (body.n == 0 || type.n < 4 || memcmp(type.p + type.n - 4, "json", 4) != 0)
        return;
    json_init(&doc);
    int rc = json_parse(&doc, body.p, body.n, &error);
    assert(rc == 0);
    json_fini(&doc);
}

/* One answer at the beginning; returns its length, 0 if it has no length of its own or
 * was cut by the other side's end. */
static size_t
check_answer(struct slice text, unsigned *status)
{
    const char *end = memmem(text.p, text.n, "\r\n\r\n", 4);

    assert(text.n >= 12 && memcmp(text.p, "HTTP/1.1 ", 9) == 0 && end);
    struct slice head = {text.p, (size_t)(end - text.p) + 2};
    *status = (unsigned)strtoul(text.p + 9, NULL, 10);
    assert(*status >= 100 && *status <= 599);
    if (*status < 200)
        return head.n + 2;
    struct slice length = field(head, "Content-Length");
    size_t n = length.p ? strtoul(length.p, NULL, 10) : 0;
    if (*status == 204 || *status == 304)
        n = 0;
    else if (!length.p)
        return 0;
    if (head.n + 2 + n > text.n)
        return 0;
    check_json(head, (struct slice){end + 4, n});
    return head.n + 2 + n;
}

/* Returns whether one of them says that events were taken. */
static bool
check_answers(struct slice text, bool headless)
{
    bool taken = false;

    if (headless) { /* an answer to HEAD tells a length that it has not */
        assert(text.n == 0 || (text.n >= 12 && memcmp(text.p, "HTTP/1.1 ", 9) == 0));
        return text.n > 0 && memmem(text.p, text.n, "HTTP/1.1 202 ", 13);
    }
    while (text.n > 0) {
        unsigned status = 0;
        size_t n = check_answer(text, &status);
        taken = taken || status == 202;
        if (n == 0)
            return taken || memmem(text.p, text.n, "HTTP/1.1 202 ", 13);
        text = (struct slice){text.p + n, text.n - n};
    }
    return taken;
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    static char answer[ANSWER_MAX + 1];
    struct slice text = {n > 0 ? (const char *)bytes : "", n};
    struct buf request;

    if (!world.engine) {
        world_open();
        atexit(world_close);
    }
    size_t before = fake_engine_events(world.engine);
    buf_init(&request, n * KEY_TEXT + 1);
    with_keys(&request, text);
    size_t got = exchange(buf_slice(&request), answer);
    answer[got] = '\0';
    bool headless = n >= 4 && memmem(bytes, n, "HEAD", 4);
    bool taken = check_answers((struct slice){answer, got}, headless);
    if (fake_engine_events(world.engine) > before)
        assert(taken);
    buf_fini(&request);
    if (++world.rounds == ROUNDS_MAX) {
        world_close();
        world_open();
    }
    return 0;
}
