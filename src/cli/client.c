#include "cli/client.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/iofd.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/timefmt.h"
#include "cli/secret_option.h"
#include "cli/value.h"

#define SILENCE_S 30L   /* without a byte, to connect or while a request lasts */
#define WORK_S    3600L /* the same, while the server makes what is asked for */
#define STREAM_SILENCE_S                                                               \
    45L /* the same, of a stream, which says something every 15 s */
#define ANSWER_MAX ((size_t)64 << 20)
#define KEY_MAX    512

struct client {
    CURL *curl;
    char *base;            /* without a slash at its end */
    char *key;             /* as a header line */
    const char *ca_file;   /* NULL = the system's */
    const char *data_flag; /* --data, unless that is something else in this command */
    const char *command;   /* for advice: its group */
    bool loopback;
    const struct client_sink *sink; /* of this request; NULL = none */
    long silence_s;                 /* with a sink: without a byte */
    struct err sink_err;
    char why[CURL_ERROR_SIZE];
};

/* ---- the key ---- */

/* The file is meant when somebody named it and said nothing stronger about a key. */
static bool
is_given(const struct options *options, enum option_id id, enum option_id data)
{
    return option_given(options, id) &&
           option_source(options, id) >= option_source(options, data);
}

static enum option_id
data_option(const struct command_line *line)
{
    return line->command->options & OPT(DATA_DIR) ? OPTION_DATA_DIR : OPTION_KEY_DATA;
}

static int
read_key(char **out, const struct command_line *line, struct err *err)
{
    const struct options *options = &line->options;
    enum option_id data = data_option(line);
    if (is_given(options, OPTION_KEY, data) || is_given(options, OPTION_KEY_FILE, data))
        return secret_option(options, OPTION_KEY, OPTION_KEY_FILE, out, err);

    struct buf path;
    size_t n;
    buf_init(&path, CLIENT_PATH_MAX);
    buf_addf(&path, "%s/admin.key", option_text(options, data));
    int rc = path.failed;
    if (rc != 0)
        err_set(err, rc, "its path is too long");
    else
        rc = file_read(path.p, KEY_MAX, out, &n, err);
    buf_fini(&path);
    if (rc == 0)
        (*out)[strcspn(*out, "\r\n")] = '\0';
    else
        err_wrap(err,
                 "no key: give one with --key-file, --key or PUSHWIRE_KEY, or the "
                 "server's data folder with PUSHWIRE_DATA or --%s",
                 option_table[data].name);
    return rc;
}

static int
set_key(struct client *client, const struct command_line *line, struct err *err)
{
    char *key;
    struct buf header;

    int rc = read_key(&key, line, err);
    if (rc != 0)
        return rc;
    for (const char *p = key; *p; p++) {
        if (*p <= ' ' || *p > '~')
            rc = err_set(err, E_INVALID, "the key holds a character that no key has");
    }
    if (rc == 0) {
        buf_init(&header, KEY_MAX);
        buf_addf(&header, "Authorization: Bearer %s", key);
        client->key = buf_take(&header);
        buf_fini(&header);
        if (!client->key)
            rc = err_set(err, E_INVALID, "the key is too long");
    }
    xfree_secret(key);
    return rc;
}

/* ---- the server's URL ---- */

static bool
is_loopback(const char *host)
{
    return strcasecmp(host, "localhost") == 0 || strncmp(host, "127.", 4) == 0 ||
           strcmp(host, "[::1]") == 0;
}

/* The host of the server's URL into *host, for curl_free. */
static int
read_url(const char *url, char **host, struct err *err)
{
    CURLU *parts = curl_url();
    char *scheme = NULL;
    int rc = 0;

    *host = NULL;
    if (!parts || curl_url_set(parts, CURLUPART_URL, url, 0) != CURLUE_OK ||
        curl_url_get(parts, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK ||
        curl_url_get(parts, CURLUPART_HOST, host, 0) != CURLUE_OK ||
        (strcmp(scheme, "http") != 0 && strcmp(scheme, "https") != 0) ||
        strpbrk(url, "?#"))
        rc = err_set(err, E_INVALID, "expected a URL as in http://127.0.0.1:8420");
    curl_free(scheme);
    curl_url_cleanup(parts);
    return rc;
}

int
client_url_check(const char *url, struct err *err)
{
    char *host;
    int rc = read_url(url, &host, err);

    curl_free(host);
    return rc;
}

static int
set_url(struct client *client, const char *url, struct err *err)
{
    char *host;
    int rc = read_url(url, &host, err);

    if (rc == 0) {
        size_t n = strlen(url);
        while (n > 0 && url[n - 1] == '/')
            n--;
        client->base = xstrndup(url, n);
        client->loopback = host && is_loopback(host);
    }
    curl_free(host);
    return rc;
}

int
client_open_keyless(struct client **out, const struct command_line *line,
                    struct err *no_key, struct err *err)
{
    struct client *client = xcalloc(1, sizeof(*client));
    int rc = 0;

    client->ca_file = option_text(&line->options, OPTION_SERVER_CA);
    client->command = line->command->name;
    client->data_flag = option_table[data_option(line)].name;
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        rc = err_set(err, E_NO_MEMORY, "libcurl does not start");
    if (rc == 0)
        rc = set_url(client, option_text(&line->options, OPTION_URL), err);
    if (rc == 0)
        (void)set_key(client, line, no_key);
    if (rc == 0 && !(client->curl = curl_easy_init()))
        rc = err_set(err, E_NO_MEMORY, "libcurl does not start");
    if (rc != 0) {
        client_close(client);
        return rc;
    }
    *out = client;
    return 0;
}

int
client_open(struct client **out, const struct command_line *line, struct err *err)
{
    struct client *client;
    struct err no_key = {0};

    int rc = client_open_keyless(&client, line, &no_key, err);
    if (rc != 0)
        return rc;
    if (no_key.code != 0) {
        client_close(client);
        *err = no_key;
        return err->code;
    }
    *out = client;
    return 0;
}

void
client_close(struct client *client)
{
    if (!client)
        return;
    curl_easy_cleanup(client->curl);
    free(client->base);
    xfree_secret(client->key);
    free(client);
    curl_global_cleanup();
}

/* ---- a request ---- */

void
reply_init(struct reply *answer)
{
    answer->status = 0;
    buf_init(&answer->body, ANSWER_MAX);
}

void
reply_fini(struct reply *answer)
{
    buf_fini(&answer->body);
}

int
reply_parse(const struct reply *answer, struct json_doc *doc, struct err *err)
{
    const struct buf *body = &answer->body;
    struct json_error error;

    doc->max_depth = JSON_DEPTH_WRAPPED;
    int rc = json_parse(doc, body->p ? body->p : "", body->n, &error);
    if (rc == E_NO_MEMORY)
        return err_set(err, rc, "no memory for the answer");
    if (rc != 0)
        return err_set(err, rc,
                       "this does not look like a Pushwire server: its answer is not "
                       "valid JSON at byte %zu: %s",
                       error.offset, error.reason);
    if (doc->tokens[0].type != JSON_OBJECT)
        return err_set(err, E_INVALID,
                       "this does not look like a Pushwire server: its answer is %s",
                       json_type_name(doc->tokens[0].type));
    return 0;
}

static size_t
on_body(char *bytes, size_t size, size_t n, void *arg)
{
    struct reply *answer = arg;
    return buf_add(&answer->body, bytes, size * n) == 0 ? size * n : 0;
}

struct download {
    struct client *client;
    struct reply *answer;
};

static size_t
on_download(char *bytes, size_t size, size_t n, void *arg)
{
    struct download *download = arg;
    struct client *client = download->client;
    struct slice piece = {bytes, size * n};
    curl_off_t all = 0;
    long status = 0;

    curl_easy_getinfo(client->curl, CURLINFO_RESPONSE_CODE, &status);
    if (status / 100 != 2)
        return on_body(bytes, size, n, download->answer);
    curl_easy_getinfo(client->curl, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &all);
    int rc = client->sink->take(client->sink->ctx, piece, all > 0 ? all : 0,
                                &client->sink_err);
    return rc == 0 ? piece.n : 0;
}

static struct curl_slist *
make_headers(const struct client *client, const char *type)
{
    /* Waiting for 100 Continue would only cost time. */
    struct curl_slist *list = curl_slist_append(NULL, "Expect:");
    struct buf line;

    buf_init(&line, 200);
    buf_addf(&line, "Content-Type: %s", type ? type : "");
    if (list && type && !curl_slist_append(list, line.p)) {
        curl_slist_free_all(list);
        list = NULL;
    }
    if (list && client->key && !curl_slist_append(list, client->key)) {
        curl_slist_free_all(list);
        list = NULL;
    }
    buf_fini(&line);
    return list;
}

static void
prepare(struct client *client, const char *method, const char *url, const char *type,
        struct slice body, struct reply *answer)
{
    CURL *curl = client->curl;

    curl_easy_reset(curl);
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    /* Not a total time: a page of an export may be long and the line slow. */
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, SILENCE_S);
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, SILENCE_S);
    curl_easy_setopt(curl, CURLOPT_USERAGENT, "pushwire/" PUSHWIRE_VERSION);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, client->why);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, answer);
    curl_easy_setopt(curl, CURLOPT_CERTINFO, 1L);
    if (client->ca_file)
        curl_easy_setopt(curl, CURLOPT_CAINFO, client->ca_file);
    if (client->loopback)
        curl_easy_setopt(curl, CURLOPT_PROXY, "");
    if (type || strcmp(method, "POST") == 0) {
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body.n);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body.n ? body.p : "");
    }
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
}

static int
no_answer(const struct client *client, CURLcode code, struct err *err)
{
    const char *why = client->why[0] ? client->why : curl_easy_strerror(code);

    if (code == CURLE_COULDNT_CONNECT)
        return err_set(err, E_IO,
                       "cannot connect to %s: is `pushwire serve` running there? "
                       "(--url or PUSHWIRE_URL says where)\n%s",
                       client->base, why);
    if (code == CURLE_OPERATION_TIMEDOUT)
        return err_set(err, E_IO, "%s was silent for %ld s", client->base,
                       client->sink ? client->silence_s : SILENCE_S);
    if (code == CURLE_SSL_CONNECT_ERROR)
        return err_set(err, E_IO,
                       "%s: %s\nPerhaps it speaks no TLS: try --url http://… instead.",
                       client->base, why);
    if (code == CURLE_PEER_FAILED_VERIFICATION)
        return err_set(err, E_IO,
                       "%s: %s\nTrust its certificate with --ca-file FILE, if it is "
                       "your own.",
                       client->base, why);
    if (code == CURLE_WRITE_ERROR)
        return err_set(err, E_TOO_LARGE, "the answer is too large");
    return err_set(err, E_IO, "%s: %s", client->base, why);
}

/* ---- problem documents ---- */

/* The list in which what was not found would stand. */
static void
add_list(struct buf *text, const struct client *client)
{
    static const char no_channel[] = "no such channel";
    bool channel = text->n && memmem(text->p, text->n, no_channel, strlen(no_channel));
    const char *name = channel ? "channel" : client->command;
    const struct command *list = command_find(name, "list");

    if (list && list->verb)
        buf_addf(text, "\nSee which there are: pushwire %s list%s", name,
                 option_in(list->needed, OPTION_CHANNEL) ? " --channel ID" : "");
}

static void
add_next_step(struct buf *text, const struct client *client, long status)
{
    switch (status) {
    case 401:
        buf_addf(text, "\nGive the right key with --key, PUSHWIRE_KEY or --%s DIR.",
                 client->data_flag);
        break;
    case 403: /* or it is the channel's trial that has ended */
        if (text->p && strstr(text->p, "a key with the role"))
            buf_adds(text, "\nThis needs a key with another role: pushwire key create "
                           "--help");
        break;
    case 404:
        add_list(text, client);
        break;
    case 429:
    case 503:
        buf_adds(text, "\nTry again in a moment.");
        break;
    default:
        break;
    }
}

/* A member's value between two texts; nothing if there is none. */
static void
add_member(struct buf *out, const struct json_doc *doc, const char *before,
           const char *name, const char *after)
{
    const struct json_token *value = json_member(doc, &doc->tokens[0], name);
    struct slice raw = value ? json_raw(doc, value) : (struct slice){0};

    if (!value || value->type == JSON_NULL || slice_is(raw, "\"\""))
        return;
    buf_adds(out, before);
    if (value->type == JSON_STRING)
        (void)json_string_add(doc, value, out);
    else
        buf_add(out, raw.p, raw.n);
    buf_adds(out, after);
}

static void
clean(struct buf *text)
{
    for (size_t i = 0; i < text->n; i++) {
        if ((unsigned char)text->p[i] < ' ' || text->p[i] == 0x7f)
            text->p[i] = ' ';
    }
}

static int
refused(const struct client *client, const struct reply *answer, struct err *err)
{
    struct json_doc doc;
    struct err not_json;
    struct buf text;

    json_init(&doc);
    buf_init(&text, 4096);
    buf_addf(&text, "%ld", answer->status);
    if (reply_parse(answer, &doc, &not_json) == 0) {
        add_member(&text, &doc, " ", "title", ":");
        add_member(&text, &doc, " event ", "index", ":");
        add_member(&text, &doc, " ", "path", ":");
        add_member(&text, &doc, " ", "detail", "");
    } else {
        buf_addf(&text, ": %s", not_json.text);
    }
    clean(&text);
    add_next_step(&text, client, answer->status);
    err_set(err, answer->status == 404 ? E_NOT_FOUND : E_INVALID, "%s",
            text.p ? text.p : "");
    buf_fini(&text);
    json_fini(&doc);
    return err->code;
}

static void
prepare_download(struct client *client, struct download *download)
{
    CURL *curl = client->curl;

    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_download);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, download);
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, client->silence_s);
    curl_easy_setopt(curl, CURLOPT_TCP_KEEPALIVE, 1L);
}

static int
perform(struct client *client, const char *method, const char *path, const char *type,
        struct slice body, struct reply *answer, struct err *err)
{
    struct download download = {client, answer};
    struct buf url;
    CURLcode code = CURLE_OUT_OF_MEMORY;

    buf_init(&url, CLIENT_PATH_MAX * 2);
    buf_addf(&url, "%s%s", client->base, path);
    if (url.failed) {
        buf_fini(&url);
        return err_set(err, E_TOO_LARGE, "what is asked for is too long for a URL");
    }
    buf_reset(&answer->body);
    client->why[0] = '\0';
    client->sink_err.code = 0;
    prepare(client, method, url.p, type, body, answer);
    if (client->sink)
        prepare_download(client, &download);
    struct curl_slist *headers = make_headers(client, type);
    if (headers) {
        curl_easy_setopt(client->curl, CURLOPT_HTTPHEADER, headers);
        code = curl_easy_perform(client->curl);
    }
    curl_easy_getinfo(client->curl, CURLINFO_RESPONSE_CODE, &answer->status);
    curl_slist_free_all(headers);
    buf_fini(&url);
    if (client->sink_err.code != 0) {
        *err = client->sink_err;
        return err->code;
    }
    if (code != CURLE_OK)
        return no_answer(client, code, err);
    return answer->status / 100 == 2 ? 0 : refused(client, answer, err);
}

int
client_call(struct client *client, const char *method, const char *path,
            const char *type, struct slice body, struct reply *answer, struct err *err)
{
    client->sink = NULL;
    return perform(client, method, path, type, body, answer, err);
}

int
client_follow(struct client *client, const char *path, const struct client_sink *sink,
              struct reply *answer, struct err *err)
{
    client->sink = sink;
    client->silence_s = STREAM_SILENCE_S;
    int rc = perform(client, "GET", path, NULL, (struct slice){0}, answer, err);
    client->sink = NULL;
    return rc;
}

int
client_download(struct client *client, const char *method, const char *path,
                const struct client_sink *sink, struct reply *answer, struct err *err)
{
    client->sink = sink;
    client->silence_s = WORK_S;
    int rc = perform(client, method, path, NULL, (struct slice){0}, answer, err);
    client->sink = NULL;
    return rc;
}

const char *
client_header(struct client *client, const char *name)
{
    struct curl_header *header;

    if (curl_easy_header(client->curl, name, 0, CURLH_HEADER, -1, &header) != CURLHE_OK)
        return NULL;
    return header->value;
}

/* As OpenSSL writes it: "Expire date:Nov 24 13:00:00 2026 GMT". */
bool
client_certificate_end(struct client *client, msec_t *end_ms)
{
    static const char name[] = "Expire date:";
    struct curl_certinfo *chain = NULL;
    struct tm tm = {0};

    if (curl_easy_getinfo(client->curl, CURLINFO_CERTINFO, &chain) != CURLE_OK ||
        !chain || chain->num_of_certs < 1)
        return false;
    for (struct curl_slist *row = chain->certinfo[0]; row; row = row->next) {
        if (strncmp(row->data, name, strlen(name)) != 0)
            continue;
        const char *end = strptime(row->data + strlen(name), "%b %d %H:%M:%S %Y", &tm);
        *end_ms = end ? (msec_t)timegm(&tm) * 1000 : 0;
        return end;
    }
    return false;
}

msec_t
client_retry_after(struct client *client)
{
    const char *text = client_header(client, "Retry-After");
    int64_t seconds;
    msec_t at_ms;

    if (text && value_int(text, &seconds) && seconds >= 0)
        return seconds < INT32_MAX ? seconds * 1000 : MSEC_NEVER;
    if (!text || !time_parse_http(slice_of(text), &at_ms))
        return -1;
    msec_t wait_ms = at_ms - clock_wall_us(&clock_system) / 1000;
    return wait_ms > 0 ? wait_ms : 0;
}

/* ---- paths ---- */

void
path_add_escaped(struct buf *path, const char *text)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                "0123456789-._~";

    for (; *text; text++) {
        if (strchr(plain, *text))
            buf_addc(path, *text);
        else
            buf_addf(path, "%%%02X", (unsigned)(unsigned char)*text);
    }
}

void
path_add_query(struct buf *path, const char *name, const char *value)
{
    if (!value)
        return;
    buf_addc(path, path->p && strchr(path->p, '?') ? '&' : '?');
    buf_addf(path, "%s=", name);
    path_add_escaped(path, value);
}
