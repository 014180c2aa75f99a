/*
 * Hash maps from a 64-bit number, or from bytes, to a pointer. Open addressing,
 * doubling; the hash is keyed with a random number per process, so that nobody outside
 * can choose collisions.
 */
#pragma once

#include "base/types.h"

/* ---- numbers; two of them, for keys that are pairs (the second is 0 otherwise) ----
 */

struct map_slot {
    uint64_t a, b;
    void *value; /* NULL = empty */
};

struct map {
    struct map_slot *slots;
    size_t n;
    size_t cap;
};

void map_init(struct map *map);
void map_fini(struct map *map);
void *map_get(const struct map *map, uint64_t a, uint64_t b); /* NULL if absent */
void map_put(struct map *map, uint64_t a, uint64_t b,
             void *value); /* value not NULL; replaces */
void *map_remove(struct map *map, uint64_t a,
                 uint64_t b); /* the value, NULL if absent */
/* Walks in no order; start with *at = 0; NULL at the end. Do not change the map
 * meanwhile. */
void *map_next(const struct map *map, size_t *at);

/* ---- byte strings; the key's bytes belong to the value and must outlive their place
 * in the map ---- */

struct smap_slot {
    struct slice key;
    uint64_t hash;
    void *value;
};

struct smap {
    struct smap_slot *slots;
    size_t n;
    size_t cap;
};

void smap_init(struct smap *map);
void smap_fini(struct smap *map);
void *smap_get(const struct smap *map, struct slice key);
void smap_put(struct smap *map, struct slice key, void *value);
void *smap_remove(struct smap *map, struct slice key);
void *smap_next(const struct smap *map, size_t *at);

uint64_t hash_u64(uint64_t a, uint64_t b);
uint64_t hash_bytes(const void *bytes, size_t n); /* keyed (SipHash-1-3 or as good) */
/* The same with a key of one's own, for what outlives the process. */
uint64_t hash_keyed(const uint64_t key[2], const void *bytes, size_t n);
