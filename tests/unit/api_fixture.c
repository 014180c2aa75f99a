#include "api_fixture.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/mem.h"

#define ANSWER_MAX ((size_t)16 << 20)

struct fixture *
fixture_new(struct mem *mem)
{
    struct fixture *f = xcalloc(1, sizeof(*f));
    struct err err = {0};

    f->engine = fake_engine_new();
    fake_engine_add_channel(f->engine, "one");
    fake_engine_add_channel(f->engine, "two");
    fake_engine_add_key(f->engine, ROLE_ADMIN, NULL, f->admin);
    fake_engine_add_key(f->engine, ROLE_READ, NULL, f->reader);
    fake_engine_add_key(f->engine, ROLE_MANAGE, "one", f->manage);
    fake_engine_add_key(f->engine, ROLE_INGEST, "one", f->ingest);
    fake_engine_add_key(f->engine, ROLE_READ, "one", f->channel_reader);
    struct api_options options = {
        .engine = f->engine,
        .listen = "127.0.0.1:0",
        .listen_fd = -1,
        .threads = 2,
        .max_connections = 100,
        .max_request_bytes = FIXTURE_MAX_REQUEST,
        .max_events = FIXTURE_MAX_EVENTS,
        .body_mem = mem,
    };
    if (api_open(&f->api, &options, &err) != 0) {
        fprintf(stderr, "api_open: %s\n", err.text);
        abort();
    }
    json_init(&f->doc);
    return f;
}

void
fixture_free(struct fixture *f)
{
    api_close(f->api);
    fake_engine_free(f->engine);
    json_fini(&f->doc);
    free(f->answer);
    free(f);
}

int
fixture_setup(void **state)
{
    *state = fixture_new(&mem_heap);
    return 0;
}

int
fixture_teardown(void **state)
{
    fixture_free(*state);
    return 0;
}

/* ---- asking ---- */

int
ask_start(struct fixture *f, const char *bytes, size_t n)
{
    return ask_start_from(f, NULL, bytes, n);
}

int
ask_start_from(struct fixture *f, const struct sockaddr_in *from, const char *bytes,
               size_t n)
{
    const char *colon = strrchr(api_address(f->api), ':');
    struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_port = htons((uint16_t)strtoul(colon + 1, NULL, 10)),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    struct timeval most = {.tv_sec = 30}; /* a bound, so that a bug ends the test */
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &most, sizeof(most));
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &most, sizeof(most));
    if (from)
        assert_int_equal(bind(fd, (const struct sockaddr *)from, sizeof(*from)), 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    while (n > 0) {
        ssize_t sent = send(fd, bytes, n, MSG_NOSIGNAL);
        if (sent <= 0)
            break; /* refused before it was all in: the answer says why */
        bytes += sent;
        n -= (size_t)sent;
    }
    return fd;
}

static void
read_all(struct fixture *f, int fd)
{
    free(f->answer);
    f->answer = xmalloc(ANSWER_MAX + 1);
    f->answer_n = 0;
    ssize_t got;
    while ((got = recv(fd, f->answer + f->answer_n, ANSWER_MAX - f->answer_n, 0)) > 0)
        f->answer_n += (size_t)got;
    f->answer[f->answer_n] = '\0';
    f->answer = xrealloc(f->answer, f->answer_n + 1);
}

void
ask_finish(struct fixture *f, int fd)
{
    read_all(f, fd);
    close(fd);
    char *end = strstr(f->answer, "\r\n\r\n");
    if (f->answer_n < 16 || !end)
        fail_msg("no answer but \"%s\"", f->answer);
    f->status = (unsigned)strtoul(f->answer + 9, NULL, 10);
    f->head = (struct slice){f->answer, (size_t)(end + 2 - f->answer)};
    f->body = (struct slice){end + 4, f->answer_n - (size_t)(end + 4 - f->answer)};
    f->parsed = false;
    struct slice type = header(f, "Content-Type");
    if (f->body.n && type.n >= 4 && memcmp(type.p + type.n - 4, "json", 4) == 0) {
        struct json_error error;
        if (json_parse(&f->doc, f->body.p, f->body.n, &error) != 0)
            fail_msg("not JSON (%s): %s", error.reason, f->body.p);
        f->parsed = true;
    }
}

void
ask(struct fixture *f, unsigned status, struct ask ask)
{
    struct buf out;
    size_t body_n = ask.body_n ? ask.body_n : ask.body ? strlen(ask.body) : 0;
    const char *method = ask.method ? ask.method : ask.body ? "POST" : "GET";

    buf_init(&out, ANSWER_MAX);
    buf_addf(&out, "%s %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n", method,
             ask.path);
    if (ask.key)
        buf_addf(&out, "Authorization: Bearer %s\r\n", ask.key);
    if (ask.body) {
        const char *type = ask.type ? ask.type : "application/json";
        if (*type)
            buf_addf(&out, "Content-Type: %s\r\n", type);
        buf_addf(&out, "Content-Length: %zu\r\n", body_n);
    }
    buf_adds(&out, ask.more ? ask.more : "");
    buf_adds(&out, "\r\n");
    buf_add(&out, ask.body, body_n);
    assert_int_equal(out.failed, 0);
    ask_finish(f, ask_start(f, out.p, out.n));
    buf_fini(&out);
    if (f->status != status)
        fail_msg("%s %s %s: %u instead of %u: %s", method, ask.path,
                 body_n < 500 && ask.body ? ask.body : "", f->status, status,
                 f->body.p);
}

void
get(struct fixture *f, unsigned status, const char *path, const char *key)
{
    ask(f, status, (struct ask){.path = path, .key = key});
}

void
post(struct fixture *f, unsigned status, const char *path, const char *key,
     const char *body)
{
    ask(f, status,
        (struct ask){.method = "POST", .path = path, .key = key, .body = body});
}

void
patch(struct fixture *f, unsigned status, const char *path, const char *key,
      const char *body)
{
    ask(f, status,
        (struct ask){.method = "PATCH", .path = path, .key = key, .body = body});
}

void
del(struct fixture *f, unsigned status, const char *path, const char *key)
{
    ask(f, status, (struct ask){.method = "DELETE", .path = path, .key = key});
}

/* ---- looking ---- */

static const struct json_token *
find(struct fixture *f, const char *pointer)
{
    assert_true(f->parsed);
    const struct json_token *token = &f->doc.tokens[0];
    while (token && *pointer) {
        char name[64];
        size_t n = strcspn(++pointer, "/");
        assert_true(n < sizeof(name));
        memcpy(name, pointer, n);
        name[n] = '\0';
        pointer += n;
        if (token->type == JSON_OBJECT) {
            token = json_member(&f->doc, token, name);
            continue;
        }
        const struct json_token *array = token;
        token = array->type == JSON_ARRAY ? json_first(&f->doc, array) : NULL;
        for (unsigned long i = strtoul(name, NULL, 10); token && i > 0; i--)
            token = json_after(&f->doc, array, token);
    }
    return token;
}

struct slice
at(struct fixture *f, const char *pointer)
{
    const struct json_token *token = find(f, pointer);
    return token ? json_raw(&f->doc, token) : (struct slice){0};
}

void
is(struct fixture *f, const char *pointer, const char *json)
{
    struct slice found = at(f, pointer);
    if (!found.p || !slice_is(found, json))
        fail_msg("%s is %.*s instead of %s in %s", pointer, (int)found.n,
                 found.p ? found.p : "", json, f->body.p);
}

void
is_absent(struct fixture *f, const char *pointer)
{
    if (find(f, pointer))
        fail_msg("%s is in %s", pointer, f->body.p);
}

void
has(struct fixture *f, const char *pointer, const char *part)
{
    struct slice found = at(f, pointer);
    if (!found.p || !memmem(found.p, found.n, part, strlen(part)))
        fail_msg("%s has no %s in %s", pointer, part, f->body.p);
}

void
text_at(struct fixture *f, const char *pointer, char *out, size_t room)
{
    const struct json_token *token = find(f, pointer);
    assert_non_null(token);
    assert_int_equal(token->type, JSON_STRING);
    struct slice text = json_string_raw(&f->doc, token);
    assert_true(text.n < room);
    memcpy(out, text.p, text.n);
    out[text.n] = '\0';
}

size_t
length_of(struct fixture *f, const char *pointer)
{
    const struct json_token *token = find(f, pointer);
    assert_non_null(token);
    return token->count;
}

struct slice
header(struct fixture *f, const char *name)
{
    size_t n = strlen(name);
    for (const char *p = f->head.p; p < f->head.p + f->head.n;) {
        const char *end = strstr(p, "\r\n");
        if (strncasecmp(p, name, n) == 0 && p[n] == ':')
            return (struct slice){p + n + 2, (size_t)(end - p) - n - 2};
        p = end + 2;
    }
    return (struct slice){0};
}

void
header_is(struct fixture *f, const char *name, const char *value)
{
    struct slice found = header(f, name);
    if (!found.p || !slice_is(found, value))
        fail_msg("%s is not \"%s\" in %.*s", name, value, (int)f->head.n, f->head.p);
}

/* ---- what many tests do ---- */

void
add_event(struct fixture *f, const char *body, char id[ID_TEXT])
{
    post(f, 202, EVENTS, f->ingest, body);
    text_at(f, "/data/0/_id", id, ID_TEXT);
}

void
add_webhook(struct fixture *f, const char *body, char id[ID_TEXT])
{
    post(f, 201, WEBHOOKS, f->manage, body);
    text_at(f, "/_id", id, ID_TEXT);
}

void
counts(struct fixture *f, const char *path, size_t n)
{
    get(f, 200, path, f->channel_reader);
    if (length_of(f, "/data") != n)
        fail_msg("%s: %zu instead of %zu", path, length_of(f, "/data"), n);
}

void
refuse_all(struct fixture *f, const char *method, const char *url,
           const struct refusal *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        char path[200];
        ask(f, 400,
            (struct ask){
                .method = method, .path = url, .key = f->admin, .body = rows[i].body});
        snprintf(path, sizeof(path), "\"%s\"", rows[i].path);
        is(f, "/path", path);
        has(f, "/detail", rows[i].detail);
        is(f, "/type", "\"about:blank\"");
        is(f, "/status", "400");
        is_absent(f, "/index");
    }
}
