/* Says step by step whether calls may go to a URL, and why. It is not called. */
#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/json_out.h"
#include "cli/command.h"
#include "cli/targets.h"
#include "send/resolve.h"
#include "send/transport.h"
#include "send/url.h"

#define OUTPUT_MAX ((size_t)64 << 10)

struct check {
    const char *given;
    const char *proxy; /* NULL: none */
    struct guard guard;
    struct url url;
    bool readable;  /* the grammar holds */
    bool accepted;  /* a webhook may have it */
    struct err why; /* when one of them is false */
    struct lookup lookup;
    bool looked_up;
    struct guard_verdict verdicts[RESOLVE_ADDRESSES_MAX];
    size_t n_allowed;
};

/* ---- finding out ---- */

/* First whether it is a URL for calls anywhere, then whether for calls from here. */
static void
read_url(struct check *check)
{
    static const struct guard anywhere = {.development = true};

    check->readable = url_read(&check->url, check->given, &anywhere, &check->why) == 0;
    if (check->readable) {
        struct url again;
        check->accepted =
            url_read(&again, check->given, &check->guard, &check->why) == 0;
    }
}

static void
on_found(struct lookup *lookup)
{
    container_of(lookup, struct check, lookup)->looked_up = true;
}

static int
look_up(struct check *check, const char *servers, struct err *err)
{
    struct resolver *resolver;

    int rc = resolver_open(&resolver, &clock_system, servers, err);
    if (rc != 0)
        return rc;
    check->lookup = (struct lookup){
        .host = check->url.host,
        .give_up_us = clock_mono_us(&clock_system) + (usec_t)RESOLVE_LIMIT_MS * 1000,
        .done = on_found,
    };
    check->looked_up = resolver_ask(resolver, &check->lookup);
    while (!check->looked_up) {
        struct pollfd fd = {.fd = resolver_fd(resolver), .events = POLLIN};
        usec_t next_us = resolver_next_us(resolver);
        usec_t left_us = next_us ? next_us - clock_mono_us(&clock_system) : 0;
        poll(&fd, 1, left_us < 0 ? 0 : (int)(left_us / 1000 + 1));
        resolver_run(resolver);
    }
    resolver_close(resolver);
    return 0;
}

static void
take_literal(struct check *check)
{
    const struct sockaddr_in *in = (const void *)&check->url.literal;
    const struct sockaddr_in6 *in6 = (const void *)&check->url.literal;
    struct address *address = &check->lookup.addresses[0];

    check->lookup.n = 1;
    address->family = check->url.literal.ss_family;
    if (address->family == AF_INET)
        memcpy(address->bytes, &in->sin_addr, sizeof(in->sin_addr));
    else
        memcpy(address->bytes, &in6->sin6_addr, sizeof(in6->sin6_addr));
}

static void
judge_addresses(struct check *check)
{
    struct sockaddr_storage sa;

    for (size_t i = 0; i < check->lookup.n; i++) {
        address_fill(&check->lookup.addresses[i], check->url.port, &sa);
        check->verdicts[i] = guard_judge(&check->guard, (const struct sockaddr *)&sa);
        check->n_allowed += check->verdicts[i].allowed;
    }
}

/* Where a name leads is not looked at when a proxy will do so. */
static bool
has_addresses(const struct check *check)
{
    return check->readable && (!check->proxy || check->url.literal.ss_family);
}

static bool
is_allowed(const struct check *check)
{
    return check->accepted && (check->n_allowed > 0 || !has_addresses(check));
}

static const char *
reason(const struct check *check)
{
    if (!check->readable || !check->accepted)
        return check->why.text;
    if (is_allowed(check))
        return NULL;
    return check->lookup.n > 0 ? "no address that calls may go to" : "DNS failed";
}

/* ---- saying it ---- */

struct shown {
    char address[INET6_ADDRSTRLEN];
    char rule[GUARD_NET_TEXT]; /* "" = none of a table */
};

static void
show_address(const struct check *check, size_t at, struct shown *out)
{
    const struct address *address = &check->lookup.addresses[at];
    const struct guard_verdict *verdict = &check->verdicts[at];

    *out = (struct shown){{0}, {0}};
    inet_ntop(address->family, address->bytes, out->address, sizeof(out->address));
    if (verdict->by.family)
        guard_net_text(&verdict->by, out->rule);
}

static void
say_addresses(const struct check *check)
{
    for (size_t i = 0; i < check->lookup.n; i++) {
        const struct guard_verdict *verdict = &check->verdicts[i];
        struct shown shown;
        show_address(check, i, &shown);
        printf("address  %s: %s, %s%s%s%s\n", shown.address,
               verdict->allowed ? "allowed" : "denied", verdict->why,
               shown.rule[0] ? " (" : "", shown.rule, shown.rule[0] ? ")" : "");
    }
}

static void
say(const struct check *check)
{
    const char *why = reason(check);

    if (check->readable) {
        printf("url      %s\n", check->url.text);
        printf("port     %u: %s\n", check->url.port,
               guard_port_known(&check->guard, check->url.port) ? "calls may go to it"
                                                                : "not one for calls");
    }
    if (has_addresses(check) && !check->url.literal.ss_family)
        printf("name     %s: %zu address%s\n", check->url.host, check->lookup.n,
               check->lookup.n == 1 ? "" : "es");
    if (check->readable && !has_addresses(check))
        printf("name     %s: the proxy %s finds out where it is\n", check->url.host,
               check->proxy);
    say_addresses(check);
    printf("verdict  %s%s%s\n", why ? "denied" : "allowed", why ? ": " : "",
           why ? why : "");
}

static void
say_json(const struct check *check)
{
    struct json_out json;
    struct buf out;

    buf_init(&out, OUTPUT_MAX);
    json_out_init(&json, &out);
    json_object(&json, NULL);
    json_str(&json, "url", check->readable ? check->url.text : check->given);
    json_bool(&json, "allowed", is_allowed(check));
    json_str(&json, "reason", reason(check));
    json_str(&json, "egressProxy", check->proxy);
    json_array(&json, "addresses");
    for (size_t i = 0; i < check->lookup.n; i++) {
        struct shown shown;
        show_address(check, i, &shown);
        json_object(&json, NULL);
        json_str(&json, "address", shown.address);
        json_i64(&json, "port", check->url.port);
        json_bool(&json, "allowed", check->verdicts[i].allowed);
        json_str(&json, "why", check->verdicts[i].why);
        json_str(&json, "rule", shown.rule[0] ? shown.rule : NULL);
        json_object_end(&json);
    }
    json_array_end(&json);
    json_object_end(&json);
    fwrite(out.p, 1, out.n, stdout);
    putchar('\n');
    buf_fini(&out);
}

/* ---- the command ---- */

static int
find_out(struct check *check, const char *servers, struct err *err)
{
    struct url unused;
    bool socks;

    if (check->proxy && url_read_proxy(&unused, check->proxy, &socks, err) != 0)
        return err_wrap(err, "--egress-proxy");
    read_url(check);
    if (!has_addresses(check))
        return 0;
    if (check->url.literal.ss_family) {
        take_literal(check);
    } else {
        int rc = look_up(check, servers, err);
        if (rc != 0)
            return rc;
    }
    judge_addresses(check);
    return 0;
}

int
check_run(const struct command_line *line)
{
    struct check check = {
        .given = line->args[0],
        .proxy = option_text(&line->options, OPTION_EGRESS_PROXY),
    };
    struct err err = {0};

    transport_ignore_environment(); /* as serve does */
    char servers[TARGETS_DNS_MAX];

    int rc = targets_read(&check.guard, &line->options, &err);
    if (rc == 0)
        rc = targets_dns(&line->options, servers, &err);
    bool misused = rc == E_INVALID;
    if (rc == 0)
        rc = find_out(&check, servers[0] ? servers : NULL, &err);
    if (rc != 0) {
        guard_fini(&check.guard);
        return misused ? command_misused(line, "%s", err.text)
                       : command_fail(line, &err);
    }
    if (option_on(&line->options, OPTION_JSON))
        say_json(&check);
    else
        say(&check);
    guard_fini(&check.guard);
    return is_allowed(&check) ? DONE : FAILED;
}
