/* A DNS server on loopback that answers from a table, which a test may change. */
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"

#define ZONE_ROWS 8

struct zone_row {
    const char *name;
    const char *addresses; /* with spaces between; "" = none */
    uint32_t ttl;
    uint8_t rcode;
    bool silent;
    unsigned copies; /* so many addresses instead of one: …1, …2, … */
};

struct name_server {
    int fd;
    char text[32]; /* its address, as resolver_open takes it */
    pthread_t thread;
    pthread_mutex_t lock;
    struct zone_row rows[ZONE_ROWS];
    unsigned asked[ZONE_ROWS]; /* for A */
    bool stopping;
};

static inline uint8_t *
put16(uint8_t *at, unsigned value)
{
    *at++ = (uint8_t)(value >> 8);
    *at++ = (uint8_t)value;
    return at;
}

static inline uint8_t *
put_record(uint8_t *at, uint16_t type, uint32_t ttl, const uint8_t *bytes, size_t n)
{
    at = put16(at, 0xc00c); /* the question's name */
    at = put16(at, type);
    at = put16(at, 1);
    at = put16(at, ttl >> 16);
    at = put16(at, ttl & 0xffff);
    at = put16(at, (unsigned)n);
    memcpy(at, bytes, n);
    return at + n;
}

/* Writes the addresses of the asked type; returns how many. */
static inline unsigned
put_records(const struct zone_row *row, uint16_t type, uint8_t **at)
{
    char list[200];
    unsigned n = 0;
    char *rest = list;

    snprintf(list, sizeof(list), "%s", row->addresses);
    for (char *text = strsep(&rest, " "); text; text = strsep(&rest, " ")) {
        uint8_t bytes[16];
        bool v6 = strchr(text, ':') != NULL;
        if (v6 != (type == 28) || inet_pton(v6 ? AF_INET6 : AF_INET, text, bytes) != 1)
            continue;
        for (unsigned i = 0; i < (row->copies ? row->copies : 1); i++, n++) {
            *at = put_record(*at, type, row->ttl, bytes, v6 ? 16 : 4);
            bytes[v6 ? 15 : 3]++;
        }
    }
    return n;
}

static inline void
read_name(const uint8_t *at, char out[256])
{
    size_t n = 0;

    while (*at && n < 200) {
        memcpy(out + n, at + 1, *at);
        n += *at;
        out[n++] = '.';
        at += *at + 1;
    }
    out[n ? n - 1 : 0] = '\0';
}

/* Turns a question into its answer; returns its length, 0 = say nothing. */
static inline size_t
name_server_answer(struct name_server *server, uint8_t *packet, size_t n)
{
    char name[256];
    uint8_t *at = packet + n;

    read_name(packet + 12, name);
    size_t question = 12 + strlen(name) + 2;
    uint16_t type = (uint16_t)(packet[question] << 8 | packet[question + 1]);
    at = packet + question + 4;
    packet[2] |= 0x80;
    packet[3] = 3; /* no such name */
    memset(packet + 6, 0, 6);
    for (size_t i = 0; i < ZONE_ROWS; i++) {
        const struct zone_row *row = &server->rows[i];
        size_t dots = row->name ? strlen(row->name) : 0;
        bool all = dots && row->name[0] == '*' && strlen(name) > dots &&
                   strcasecmp(name + strlen(name) - (dots - 1), row->name + 1) == 0;
        if (!row->name || (!all && strcasecmp(name, row->name) != 0))
            continue;
        server->asked[i] += type == 1;
        if (row->silent)
            return 0;
        packet[3] = row->rcode;
        if (row->rcode == 0)
            packet[7] = (uint8_t)put_records(row, type, &at);
        break;
    }
    return (size_t)(at - packet);
}

static inline void *
name_server_main(void *arg)
{
    struct name_server *server = arg;

    for (;;) {
        uint8_t packet[4096];
        struct sockaddr_in from;
        socklen_t len = sizeof(from);
        ssize_t n =
            recvfrom(server->fd, packet, 512, 0, (struct sockaddr *)&from, &len);
        pthread_mutex_lock(&server->lock);
        bool stopping = server->stopping;
        size_t m =
            n > 17 && !stopping ? name_server_answer(server, packet, (size_t)n) : 0;
        pthread_mutex_unlock(&server->lock);
        if (stopping)
            return NULL;
        if (m > 0)
            sendto(server->fd, packet, m, 0, (const struct sockaddr *)&from, len);
    }
}

static inline struct name_server *
name_server_new(void)
{
    struct name_server *server = xcalloc(1, sizeof(*server));
    struct sockaddr_in sa = {.sin_family = AF_INET};
    socklen_t len = sizeof(sa);
    int room = 4 << 20;

    sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    pthread_mutex_init(&server->lock, NULL);
    server->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_true(server->fd >= 0);
    setsockopt(server->fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
    assert_int_equal(bind(server->fd, (const struct sockaddr *)&sa, len), 0);
    assert_int_equal(getsockname(server->fd, (struct sockaddr *)&sa, &len), 0);
    snprintf(server->text, sizeof(server->text), "127.0.0.1:%u", ntohs(sa.sin_port));
    assert_int_equal(pthread_create(&server->thread, NULL, name_server_main, server),
                     0);
    return server;
}

static inline void
name_server_put(struct name_server *server, size_t at, struct zone_row row)
{
    pthread_mutex_lock(&server->lock);
    server->rows[at] = row;
    pthread_mutex_unlock(&server->lock);
}

static inline unsigned
name_server_asked(struct name_server *server, size_t at)
{
    pthread_mutex_lock(&server->lock);
    unsigned n = server->asked[at];
    pthread_mutex_unlock(&server->lock);
    return n;
}

static inline void
name_server_free(struct name_server *server)
{
    struct sockaddr_in sa;
    socklen_t len = sizeof(sa);

    pthread_mutex_lock(&server->lock);
    server->stopping = true;
    pthread_mutex_unlock(&server->lock);
    /* Something to read, so that it looks. */
    assert_int_equal(getsockname(server->fd, (struct sockaddr *)&sa, &len), 0);
    sendto(server->fd, "", 1, 0, (const struct sockaddr *)&sa, len);
    pthread_join(server->thread, NULL);
    close(server->fd);
    pthread_mutex_destroy(&server->lock);
    free(server);
}
