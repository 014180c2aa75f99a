/* One request: an easy handle, its headers, and how it ended. */
#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <unistd.h>

#include "base/mem.h"
#include "send/curl_private.h"
#include "send/guard.h"
#include "send/url.h"

#define USER_AGENT "Pushwire/" PUSHWIRE_VERSION

/* Answers are short. */
#define BUFFER_BYTES 4096L

/* After this a name is looked up again and the certificate checked again. */
#define CONNECTION_LIFE_S 60L
#define CONNECTION_IDLE_S 30L

/* ---- targets ---- */

static bool
add_line(struct curl_slist **list, const char *line)
{
    struct curl_slist *more = curl_slist_append(*list, line);
    if (!more)
        return false;
    *list = more;
    return true;
}

static bool
add_header(struct curl_slist **list, const struct webhook_header *header)
{
    size_t n = strlen(header->name) + strlen(header->value) + 3;
    char *line = xmalloc(n);

    /* To libcurl "Name:" means leave it out, and "Name;" an empty value. */
    if (header->value[0])
        snprintf(line, n, "%s: %s", header->name, header->value);
    else
        snprintf(line, n, "%s;", header->name);
    bool ok = add_line(list, line);
    xfree_secret(line); /* it may be a password */
    return ok;
}

static bool
make_headers(struct target *target)
{
    const struct webhook *webhook = target->webhook;
    bool accept = false;

    if (!add_line(&target->headers, "Content-Type: application/json") ||
        !add_line(&target->headers, "Expect:"))
        return false;
    for (size_t i = 0; i < webhook->n_headers; i++) {
        if (strcasecmp(webhook->headers[i].name, "Accept") == 0)
            accept = true;
        if (!add_header(&target->headers, &webhook->headers[i]))
            return false;
    }
    return accept || add_line(&target->headers, "Accept:");
}

/* NULL: no memory; it is a URL that libcurl can read. */
static CURLU *
parse(const char *text)
{
    CURLU *parsed = curl_url();

    if (parsed &&
        curl_url_set(parsed, CURLUPART_URL, text, CURLU_PATH_AS_IS) != CURLUE_OK) {
        curl_url_cleanup(parsed);
        return NULL;
    }
    return parsed;
}

struct target *
target_new(struct curl_transport *ct, struct webhook *webhook)
{
    struct target *target = xcalloc(1, sizeof(*target));

    target->refs = 1;
    target->number = ++ct->targets;
    target->webhook = webhook_ref(webhook);
    target->signing = signing_new(webhook);
    struct url url;
    place_init(ct, &target->place);
    if (webhook->url && url_read(&url, webhook->url, ct->options.guard, NULL) == 0) {
        target->url = xstrdup(url.text);
        target->parsed = parse(url.text);
        place_set(&target->place, &url);
    }
    if (!make_headers(target) || (target->url && !target->parsed)) {
        target_unref(ct, target);
        return NULL;
    }
    return target;
}

void
target_unref(struct curl_transport *ct, struct target *target)
{
    if (!target || --target->refs > 0)
        return;
    signing_free(target->signing);
    free(target->url);
    curl_url_cleanup(target->parsed);
    place_fini(ct, &target->place);
    for (struct curl_slist *line = target->headers; line; line = line->next)
        explicit_bzero(line->data, strlen(line->data));
    curl_slist_free_all(target->headers);
    webhook_unref(target->webhook);
    free(target);
}

/* ---- what libcurl calls ---- */

/* The proxy is the operator's, wherever it is. */
static bool
may_connect(const struct curl_transport *ct, const struct sockaddr *sa)
{
    return ct->proxy.used || guard_judge(ct->options.guard, sa).allowed;
}

static curl_socket_t
open_socket(void *ctx, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct request *request = ctx;
    struct curl_transport *ct = request->transport;

    (void)purpose;
    if (!may_connect(ct, &address->addr)) {
        request->not_allowed = true;
        return CURL_SOCKET_BAD;
    }
    int fd =
        socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
    if (fd < 0)
        return CURL_SOCKET_BAD;
    struct sock *sock = sock_at(ct, fd);
    if (!sock) {
        close(fd);
        return CURL_SOCKET_BAD;
    }
    *sock = (struct sock){.ours = true};
    return fd;
}

static int
close_socket(void *ctx, curl_socket_t fd)
{
    struct sock *sock = sock_at(ctx, fd);
    if (sock)
        *sock = (struct sock){0}; /* epoll forgets what is closed */
    return close(fd);
}

/* Also before a request on a connection that is used again, where no socket is opened.
 */
static int
before_request(void *ctx, char *peer, char *local, int peer_port, int local_port)
{
    struct request *request = ctx;
    struct sockaddr_storage sa = {0};
    struct sockaddr_in *in = (void *)&sa;
    struct sockaddr_in6 *in6 = (void *)&sa;

    (void)local;
    (void)local_port;
    if (inet_pton(AF_INET, peer, &in->sin_addr) == 1) {
        in->sin_family = AF_INET;
        in->sin_port = htons((uint16_t)peer_port);
    } else if (inet_pton(AF_INET6, peer, &in6->sin6_addr) == 1) {
        in6->sin6_family = AF_INET6;
        in6->sin6_port = htons((uint16_t)peer_port);
    }
    if (may_connect(request->transport, (const struct sockaddr *)&sa))
        return CURL_PREREQFUNC_OK;
    request->not_allowed = true;
    return CURL_PREREQFUNC_ABORT;
}

static size_t
got_header(char *bytes, size_t one, size_t n, void *ctx)
{
    struct request *request = ctx;
    (void)one; /* always 1 */
    msec_t now_ms = request->attempt->began_wall_ms;
    return answer_line(&request->answer, (struct slice){bytes, n}, now_ms) ? n : 0;
}

static size_t
got_body(char *bytes, size_t one, size_t n, void *ctx)
{
    struct request *request = ctx;
    (void)one;
    return answer_body(&request->answer, (struct slice){bytes, n}) ? n : 0;
}

/* ---- requests ---- */

/* Everything that is the same for all requests. */
static CURLcode
set_up_protocol(CURL *easy, const struct curl_transport *ct)
{
    const struct guard *guard = ct->options.guard;
    const struct {
        CURLoption option;
        long value;
    } numbers[] = {
        {CURLOPT_POST, 1},
        {CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1},
        {CURLOPT_HTTP09_ALLOWED, 0},
        {CURLOPT_HTTP_CONTENT_DECODING, 0},
        {CURLOPT_PATH_AS_IS, 1},
        {CURLOPT_FOLLOWLOCATION, 0},
        {CURLOPT_NETRC, CURL_NETRC_IGNORED},
        {CURLOPT_NOPROGRESS, 1},
        {CURLOPT_NOSIGNAL, 1},
        {CURLOPT_DNS_CACHE_TIMEOUT, -1}, /* what it knows, it was told: curl_place.c */
        {CURLOPT_TCP_NODELAY, 1},
        {CURLOPT_BUFFERSIZE, BUFFER_BYTES},
        {CURLOPT_MAXLIFETIME_CONN, CONNECTION_LIFE_S},
        {CURLOPT_MAXAGE_CONN, CONNECTION_IDLE_S},
        {CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2},
        {CURLOPT_SSL_VERIFYPEER, 1},
        {CURLOPT_SSL_VERIFYHOST, 2},
        {CURLOPT_SSL_ENABLE_ALPN, 0},
        /* Connections through a proxy cannot be told apart by target. */
        {CURLOPT_FRESH_CONNECT, ct->proxy.used},
        {CURLOPT_FORBID_REUSE, ct->proxy.used},
        {CURLOPT_HTTPPROXYTUNNEL, ct->proxy.used},
        {CURLOPT_SUPPRESS_CONNECT_HEADERS, 1},
    };
    const struct {
        CURLoption option;
        const char *value;
    } texts[] = {
        {CURLOPT_PROTOCOLS_STR,
         guard->http || guard->development ? "http,https" : "https"},
        {CURLOPT_REDIR_PROTOCOLS_STR, "https"},
        /* Not even one from the environment. */
        {CURLOPT_PROXY, ct->proxy.used ? ct->proxy.url : ""},
        {CURLOPT_NOPROXY, ct->proxy.used ? "" : "*"},
        /* For a proxy; a call has it among its headers, where libcurl does not make
         * it anew for each. */
        {CURLOPT_USERAGENT, ct->proxy.used ? USER_AGENT : NULL},
    };
    CURLcode code = CURLE_OK;

    for (size_t i = 0; i < ARRAY_LEN(numbers) && code == CURLE_OK; i++)
        code = curl_easy_setopt(easy, numbers[i].option, numbers[i].value);
    for (size_t i = 0; i < ARRAY_LEN(texts) && code == CURLE_OK; i++)
        code = curl_easy_setopt(easy, texts[i].option, texts[i].value);
    if (code == CURLE_OK && ct->ca_file)
        code = curl_easy_setopt(easy, CURLOPT_CAINFO, ct->ca_file);
    return code;
}

static CURLcode
set_up_callbacks(struct request *request)
{
    CURL *easy = request->easy;
    struct curl_transport *ct = request->transport;
    CURLcode code = CURLE_OK;

    /* One after the other until one fails. */
    code = code ? code : curl_easy_setopt(easy, CURLOPT_PRIVATE, request);
    code = code ? code : curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, got_header);
    code = code ? code : curl_easy_setopt(easy, CURLOPT_HEADERDATA, request);
    code = code ? code : curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, got_body);
    code = code ? code : curl_easy_setopt(easy, CURLOPT_WRITEDATA, request);
    code =
        code ? code : curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
    code = code ? code : curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, request);
    code =
        code ? code : curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, close_socket);
    /* The connection outlives the request. */
    code = code ? code : curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, ct);
    code = code ? code : curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, before_request);
    return code ? code : curl_easy_setopt(easy, CURLOPT_PREREQDATA, request);
}

static char user_agent_line[] = "User-Agent: " USER_AGENT;

struct request *
request_new(struct curl_transport *ct)
{
    struct request *request = xcalloc(1, sizeof(*request));

    request->transport = ct;
    request->timestamp_s = INT64_MIN;
    request->lines[0].data = user_agent_line;
    request->lines[1].data = request->id;
    request->lines[2].data = request->timestamp;
    request->lines[3].data = request->signature;
    for (size_t i = 0; i < OWN_HEADERS - 1; i++)
        request->lines[i].next = &request->lines[i + 1];
    request->easy = curl_easy_init();
    if (!request->easy || set_up_protocol(request->easy, ct) != CURLE_OK ||
        set_up_callbacks(request) != CURLE_OK ||
        curl_easy_setopt(request->easy, CURLOPT_HTTPHEADER, request->lines) !=
            CURLE_OK) {
        request_free(request);
        return NULL;
    }
    return request;
}

void
request_free(struct request *request)
{
    if (!request)
        return;
    if (request->easy)
        curl_easy_cleanup(request->easy);
    answer_fini(&request->answer);
    curl_slist_free_all(request->forget);
    free(request);
}

static void
sign(struct request *request)
{
    const struct attempt *attempt = request->attempt;
    int64_t timestamp_s = attempt->began_wall_ms / 1000;
    msec_t now_ms = clock_steady_ms(request->transport->options.clock);
    static const char name[] = "webhook-signature: ";
    static const char id_name[] = "webhook-id: ";
    size_t n = strlen(attempt->event_id);

    memcpy(request->signature, name, sizeof(name) - 1);
    signing_sign(request->target->signing, slice_of(attempt->event_id), timestamp_s,
                 attempt->body, now_ms, request->signature + sizeof(name) - 1);
    assert(sizeof(id_name) + n <= sizeof(request->id));
    memcpy(request->id, id_name, sizeof(id_name) - 1);
    memcpy(request->id + sizeof(id_name) - 1, attempt->event_id, n + 1);
    if (timestamp_s != request->timestamp_s)
        snprintf(request->timestamp, HEADER_LINE, "webhook-timestamp: %lld",
                 (long long)timestamp_s);
    request->timestamp_s = timestamp_s;
    request->lines[OWN_HEADERS - 1].next = request->target->headers;
}

/* One line after the first, with the token, before the target's own. */
static void
add_token(struct request *request)
{
    static const char name[] = "x-subscription-token: ";
    size_t n = sizeof(name) + strlen(request->attempt->token);

    request->token_line = xmalloc(n);
    snprintf(request->token_line, n, "%s%s", name, request->attempt->token);
    request->lines[1].data = request->token_line;
    request->lines[1].next = request->target->headers;
}

static void
remove_token(struct request *request)
{
    if (!request->token_line)
        return;
    explicit_bzero(request->token_line, strlen(request->token_line));
    free(request->token_line);
    request->token_line = NULL;
    request->lines[1].data = request->id;
    request->lines[1].next = &request->lines[2];
}

static usec_t
deadline_us(const struct request *request)
{
    msec_t own_ms = request->attempt->deadline_ms;
    msec_t ms = own_ms ? own_ms : request->transport->options.deadline_ms;
    return request->began_us + ms * 1000;
}

/* Options that stay as they are from one attempt to the next of the same target. The
 * text of the URL is there for libcurl's own second try on a connection that has just
 * been closed. What a target that is gone has left in a handle is not looked at. */
static CURLcode
aim(struct request *request)
{
    struct target *target = request->target;
    CURL *easy = request->easy;
    bool proxy = request->transport->proxy.used;

    if (request->aimed == target->number)
        return CURLE_OK;
    request->aimed = 0;
    CURLcode code = curl_easy_setopt(easy, CURLOPT_URL, target->url);
    code = code ? code : curl_easy_setopt(easy, CURLOPT_CURLU, target->parsed);
    code = code ? code
                : curl_easy_setopt(easy, CURLOPT_CONNECT_TO,
                                   proxy ? NULL : &target->place.connect_to);
    if (code == CURLE_OK)
        request->aimed = target->number;
    return code;
}

bool
request_prepare(struct request *request, struct target *target, struct attempt *attempt)
{
    struct clock *clock = request->transport->options.clock;
    CURL *easy = request->easy;

    target->refs++;
    request->target = target;
    request->attempt = attempt;
    request->aborted = false;
    request->refusal = NULL;
    answer_reset(&request->answer);
    request->began_us = clock_mono_us(clock);
    request->deadline_us = deadline_us(request);
    request->located_us = 0;
    request->looked_up = false;
    attempt->began_wall_ms = clock_wall_us(clock) / 1000;

    request->not_allowed = !target->url;
    if (request->not_allowed)
        request->refusal = NOT_ALLOWED;
    else if (!target->signing && !attempt->token)
        request->refusal = "secret not usable";
    if (request->refusal)
        return false;
    if (attempt->token)
        add_token(request);
    else
        sign(request);
    if (aim(request) != CURLE_OK ||
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE,
                         (curl_off_t)attempt->body.n) != CURLE_OK ||
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS,
                         attempt->body.p ? attempt->body.p : "") != CURLE_OK) {
        request->refusal = "out of memory";
        return false;
    }
    return true;
}

/* ---- how it ended ---- */

static usec_t
time_of(CURL *easy, CURLINFO info)
{
    curl_off_t value = 0;
    return curl_easy_getinfo(easy, info, &value) == CURLE_OK ? value : 0;
}

/* libcurl counts from when it was started; here each step counts from the one before.
 * Of a connection that was there already neither connecting nor TLS is a step. */
static struct attempt_timings
timings_of(const struct request *request)
{
    CURL *easy = request->easy;
    usec_t connect_us = time_of(easy, CURLINFO_CONNECT_TIME_T);
    usec_t tls_us = time_of(easy, CURLINFO_APPCONNECT_TIME_T);
    usec_t ready_us = time_of(easy, CURLINFO_PRETRANSFER_TIME_T);
    usec_t first_us = time_of(easy, CURLINFO_STARTTRANSFER_TIME_T);
    struct attempt_timings timings = TIMINGS_UNKNOWN;
    long connections = 0;

    if (request->looked_up)
        timings.dns_us = request->located_us - request->began_us;
    curl_easy_getinfo(easy, CURLINFO_NUM_CONNECTS, &connections);
    if (ready_us > 0)
        timings.reused = connections == 0;
    if (connections > 0 && connect_us > 0)
        timings.connect_us = connect_us;
    if (connections > 0 && tls_us > connect_us)
        timings.tls_us = tls_us - connect_us;
    if (request->answer.header_bytes > 0 && ready_us > 0 && first_us >= ready_us)
        timings.first_byte_us = first_us - ready_us;
    return timings;
}

static const char *
connect_reason(const struct request *request)
{
    long os_errno = 0;

    curl_easy_getinfo(request->easy, CURLINFO_OS_ERRNO, &os_errno);
    return os_errno == ECONNREFUSED ? "connection refused" : "connection failed";
}

/* Whether the proxy said no to the connection it was asked for. */
static bool
proxy_refused(const struct request *request)
{
    long status = 0;

    if (!request->transport->proxy.used)
        return false;
    curl_easy_getinfo(request->easy, CURLINFO_HTTP_CONNECTCODE, &status);
    return status != 0 && (status < 200 || status > 299);
}

/* Why there is no complete header block; few and fixed words. */
static const char *
failure_reason(const struct request *request, CURLcode code)
{
    bool sent = time_of(request->easy, CURLINFO_PRETRANSFER_TIME_T) > 0;

    if (request->aborted)
        return "shutting down";
    if (request->not_allowed)
        return NOT_ALLOWED;
    if (request->refusal)
        return request->refusal;
    if (proxy_refused(request))
        return "egress proxy failed";
    if (answer_headers_too_long(&request->answer))
        return "response headers over 64 KiB";
    switch ((int)code) { /* an int: the codes of libcurl are many */
    case CURLE_OPERATION_TIMEDOUT:
        return "timeout";
    case CURLE_COULDNT_RESOLVE_HOST:
        return "DNS failed";
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_PROXY:
        return "egress proxy failed";
    case CURLE_COULDNT_CONNECT:
    case CURLE_ABORTED_BY_CALLBACK:
        return connect_reason(request);
    case CURLE_SSL_CONNECT_ERROR:
        return "TLS failed: no handshake";
    case CURLE_PEER_FAILED_VERIFICATION:
        return "TLS failed: certificate not accepted";
    case CURLE_SSL_CACERT_BADFILE:
        return "TLS failed: no usable CA file";
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_INVALIDCERTSTATUS:
    case CURLE_SSL_ENGINE_INITFAILED:
        return "TLS failed: set-up";
    case CURLE_WEIRD_SERVER_REPLY:
        return "not HTTP";
    case CURLE_URL_MALFORMAT:
        return NOT_ALLOWED;
    case CURLE_UNSUPPORTED_PROTOCOL:
        return sent ? "not HTTP" : NOT_ALLOWED;
    case CURLE_OUT_OF_MEMORY: /* what libcurl says of one line that is too long */
        return sent ? "response headers over 64 KiB" : "out of memory";
    default:
        return "connection broke";
    }
}

static void
set_verdict(struct request *request, CURLcode code)
{
    struct attempt *attempt = request->attempt;
    const struct answer *answer = &request->answer;

    attempt->status = answer->status;
    attempt->retry_after_ms = answer->retry_after_ms;
    attempt->verdict = VERDICT_TEMPORARY;
    attempt->reason[0] = '\0';
    if (answer->status) {
        attempt->verdict = answer_verdict(answer);
        if (attempt->verdict != VERDICT_OK)
            snprintf(attempt->reason, sizeof(attempt->reason), "status %d",
                     answer->status);
    } else if (answer->interim == 101 && !request->aborted) {
        /* It has left HTTP: nothing after that is an answer. */
        attempt->status = answer->interim;
        snprintf(attempt->reason, sizeof(attempt->reason), "status 101");
    } else {
        attempt->retry_after_ms = 0;
        snprintf(attempt->reason, sizeof(attempt->reason), "%s",
                 failure_reason(request, code));
    }
}

void
request_finish(struct request *request, CURLcode code)
{
    struct attempt *attempt = request->attempt;

    attempt->timings = TIMINGS_UNKNOWN;
    attempt->duration_us =
        clock_mono_us(request->transport->options.clock) - request->began_us;
    if (request->not_allowed) {
        /* Not even a time: whether something is there is nobody's business. */
        attempt->duration_us = 0;
    } else if (!request->refusal && request->located_us) {
        attempt->timings = timings_of(request);
    }
    remove_token(request);
    if (code == CURLE_COULDNT_RESOLVE_HOST || code == CURLE_COULDNT_RESOLVE_PROXY)
        place_untold(request);
    set_verdict(request, code);
    attempt->response = request->answer.keep;
    attempt->response_len = request->answer.kept;
}
