/*
 * Writes small database files in MaxMind's format, version 2.0
 * (https://maxmind.github.io/MaxMind-DB/): a tree of address bits whose leaves point
 * into a section of values, and a map that describes the file. Broken ones too: a value
 * may be anything, and sits where the test puts it.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MMDB_NODES     1000
#define MMDB_BYTES     2000
#define MMDB_SEPARATOR 16

/* What a leaf holds until the number of nodes is known. */
#define MMDB_EMPTY UINT32_MAX
#define MMDB_LEAF  (UINT32_C(1) << 31)

enum mmdb_type {
    MMDB_POINTER = 1,
    MMDB_TEXT = 2,
    MMDB_U16 = 5,
    MMDB_U32 = 6,
    MMDB_MAP = 7,
    MMDB_U64 = 9,
    MMDB_ARRAY = 11,
};

struct mmdb_bytes {
    uint8_t p[MMDB_BYTES];
    size_t n;
};

struct mmdb {
    unsigned ip_version;  /* 4, or 6 with IPv4 as ::/96 */
    unsigned record_bits; /* 24, 28 or 32 */
    uint32_t nodes[MMDB_NODES][2];
    uint32_t n_nodes;
    struct mmdb_bytes values;
};

static inline void
mmdb_init(struct mmdb *db, unsigned ip_version, unsigned record_bits)
{
    *db = (struct mmdb){.ip_version = ip_version, .record_bits = record_bits};
    db->nodes[0][0] = db->nodes[0][1] = MMDB_EMPTY;
    db->n_nodes = 1;
}

/* ---- values ---- */

static inline void
mmdb_put(struct mmdb_bytes *out, const void *bytes, size_t n)
{
    assert_true(n <= MMDB_BYTES - out->n);
    memcpy(out->p + out->n, bytes, n);
    out->n += n;
}

static inline void
mmdb_put_number(struct mmdb_bytes *out, uint64_t number, unsigned bytes)
{
    while (bytes--) {
        uint8_t byte = (uint8_t)(number >> (8 * bytes));
        mmdb_put(out, &byte, 1);
    }
}

/* The control byte; what `size` counts follows. */
static inline void
mmdb_put_type(struct mmdb_bytes *out, enum mmdb_type type, size_t size)
{
    assert_true(size < 29); /* larger sizes have other forms */
    mmdb_put_number(out, (type > 7 ? 0 : (unsigned)type << 5) | size, 1);
    if (type > 7)
        mmdb_put_number(out, (unsigned)type - 7, 1);
}

static inline void
mmdb_put_text(struct mmdb_bytes *out, const char *text)
{
    mmdb_put_type(out, MMDB_TEXT, strlen(text));
    mmdb_put(out, text, strlen(text));
}

static inline void
mmdb_put_uint(struct mmdb_bytes *out, enum mmdb_type type, uint64_t number)
{
    unsigned bytes = type == MMDB_U16 ? 2 : type == MMDB_U32 ? 4 : 8;

    mmdb_put_type(out, type, bytes);
    mmdb_put_number(out, number, bytes);
}

/* To a place in the section of values. */
static inline void
mmdb_put_pointer(struct mmdb_bytes *out, size_t to)
{
    assert_true(to < 1 << 11);
    mmdb_put_number(out, (unsigned)MMDB_POINTER << 13 | to, 2);
}

/* {name: {"iso_code": code}}; its place in the section of values. */
static inline size_t
mmdb_put_country(struct mmdb *db, const char *name, const char *code)
{
    size_t at = db->values.n;

    mmdb_put_type(&db->values, MMDB_MAP, 1);
    mmdb_put_text(&db->values, name);
    mmdb_put_type(&db->values, MMDB_MAP, 1);
    mmdb_put_text(&db->values, "iso_code");
    mmdb_put_text(&db->values, code);
    return at;
}

/* ---- tree ---- */

/* A node under this record; what the record said holds for both of its halves. */
static inline uint32_t
mmdb_descend(struct mmdb *db, uint32_t *record)
{
    if (*record & MMDB_LEAF) { /* an empty one too */
        assert_true(db->n_nodes < MMDB_NODES);
        db->nodes[db->n_nodes][0] = db->nodes[db->n_nodes][1] = *record;
        *record = db->n_nodes++;
    }
    return *record;
}

/* Addresses in "192.0.2.0/24" or "2001:db8::/32" have the value at this place. A longer
 * prefix goes after the shorter one that it is in. */
static inline void
mmdb_add(struct mmdb *db, const char *prefix, size_t value)
{
    char host[INET6_ADDRSTRLEN] = "";
    uint8_t bits[16] = {0};
    const char *slash = strchr(prefix, '/');
    bool v6 = strchr(prefix, ':') != NULL;
    unsigned skip = !v6 && db->ip_version == 6 ? 96 : 0;
    uint32_t node = 0;

    memcpy(host, prefix, (size_t)(slash - prefix));
    assert_int_equal(inet_pton(v6 ? AF_INET6 : AF_INET, host, bits + skip / 8), 1);
    unsigned length = skip + (unsigned)strtoul(slash + 1, NULL, 10);
    for (unsigned i = 0;; i++) {
        uint32_t *record = &db->nodes[node][bits[i / 8] >> (7 - i % 8) & 1];
        if (i + 1 == length) {
            *record = MMDB_LEAF | (uint32_t)value;
            return;
        }
        node = mmdb_descend(db, record);
    }
}

/* ---- file ---- */

/* Values are counted on from the nodes; "nothing" is the number of nodes. */
static inline uint32_t
mmdb_record(const struct mmdb *db, uint32_t record)
{
    if (record == MMDB_EMPTY)
        return db->n_nodes;
    if (record & MMDB_LEAF)
        return db->n_nodes + MMDB_SEPARATOR + (record & ~MMDB_LEAF);
    return record;
}

static inline void
mmdb_write_node(const struct mmdb *db, const uint32_t node[2], FILE *file)
{
    uint64_t left = mmdb_record(db, node[0]);
    uint64_t right = mmdb_record(db, node[1]);
    unsigned bytes = db->record_bits / 4;
    struct mmdb_bytes out = {.n = 0};

    /* Of 28 bits the upper four stand in the middle byte, the left's first. */
    if (db->record_bits == 28)
        left = (left & 0xffffff) << 4 | left >> 24;
    mmdb_put_number(&out, left << db->record_bits | right, bytes);
    assert_int_equal(fwrite(out.p, 1, out.n, file), bytes);
}

static inline void
mmdb_put_about(struct mmdb_bytes *out, const struct mmdb *db)
{
    mmdb_put(out, "\xab\xcd\xefMaxMind.com", 14);
    mmdb_put_type(out, MMDB_MAP, 9);
    mmdb_put_text(out, "languages");
    mmdb_put_type(out, MMDB_ARRAY, 1);
    mmdb_put_text(out, "en");
    mmdb_put_text(out, "description");
    mmdb_put_type(out, MMDB_MAP, 1);
    mmdb_put_text(out, "en");
    mmdb_put_text(out, "for a test");
    mmdb_put_text(out, "node_count");
    mmdb_put_uint(out, MMDB_U32, db->n_nodes);
    mmdb_put_text(out, "record_size");
    mmdb_put_uint(out, MMDB_U16, db->record_bits);
    mmdb_put_text(out, "ip_version");
    mmdb_put_uint(out, MMDB_U16, db->ip_version);
    mmdb_put_text(out, "binary_format_major_version");
    mmdb_put_uint(out, MMDB_U16, 2);
    mmdb_put_text(out, "binary_format_minor_version");
    mmdb_put_uint(out, MMDB_U16, 0);
    mmdb_put_text(out, "build_epoch");
    mmdb_put_uint(out, MMDB_U64, 1700000000);
    mmdb_put_text(out, "database_type");
    mmdb_put_text(out, "Test-Country");
}

static inline void
mmdb_save(const struct mmdb *db, const char *path)
{
    static const uint8_t separator[MMDB_SEPARATOR];
    struct mmdb_bytes about = {.n = 0};
    FILE *file = fopen(path, "wb");

    assert_non_null(file);
    for (uint32_t i = 0; i < db->n_nodes; i++)
        mmdb_write_node(db, db->nodes[i], file);
    mmdb_put_about(&about, db);
    assert_int_equal(fwrite(separator, 1, sizeof(separator), file), sizeof(separator));
    assert_int_equal(fwrite(db->values.p, 1, db->values.n, file), db->values.n);
    assert_int_equal(fwrite(about.p, 1, about.n, file), about.n);
    assert_int_equal(fclose(file), 0);
}
