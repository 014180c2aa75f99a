#include "base/map.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/rng.h"

/* Linear probing; a removal shifts what follows back, so there are no tombstones and
 * lookups stay short. */

#define FIRST_CAP 16

static uint64_t secret[2];
static pthread_once_t secret_once = PTHREAD_ONCE_INIT;

static void
secret_make(void)
{
    rng_system.fill(&rng_system, secret, sizeof(secret));
}

uint64_t
hash_u64(uint64_t a, uint64_t b)
{
    pthread_once(&secret_once, secret_make);
    uint64_t x = a ^ secret[0];
    x = (x ^ (x >> 32)) * UINT64_C(0xd6e8feb86659fd93);
    x ^= b + secret[1];
    x = (x ^ (x >> 32)) * UINT64_C(0xd6e8feb86659fd93);
    return x ^ (x >> 32);
}

static uint64_t
rotl(uint64_t x, int by)
{
    return (x << by) | (x >> (64 - by));
}

static void
sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[1] = rotl(v[1], 13) ^ v[0];
    v[0] = rotl(v[0], 32);
    v[2] += v[3];
    v[3] = rotl(v[3], 16) ^ v[2];
    v[0] += v[3];
    v[3] = rotl(v[3], 21) ^ v[0];
    v[2] += v[1];
    v[1] = rotl(v[1], 17) ^ v[2];
    v[2] = rotl(v[2], 32);
}

/* SipHash-1-3 (Aumasson and Bernstein). */
uint64_t
hash_keyed(const uint64_t key[2], const void *bytes, size_t n)
{
    uint64_t v[4] = {
        key[0] ^ UINT64_C(0x736f6d6570736575),
        key[1] ^ UINT64_C(0x646f72616e646f6d),
        key[0] ^ UINT64_C(0x6c7967656e657261),
        key[1] ^ UINT64_C(0x7465646279746573),
    };
    const char *at = bytes;
    size_t left = n;
    uint64_t word;

    for (; left >= 8; at += 8, left -= 8) {
        memcpy(&word, at, 8);
        v[3] ^= word;
        sip_round(v);
        v[0] ^= word;
    }
    word = 0;
    if (left)
        memcpy(&word, at, left);
    word |= (uint64_t)n << 56;
    v[3] ^= word;
    sip_round(v);
    v[0] ^= word;
    v[2] ^= 0xff;
    for (int i = 0; i < 3; i++)
        sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

uint64_t
hash_bytes(const void *bytes, size_t n)
{
    pthread_once(&secret_once, secret_make);
    return hash_keyed(secret, bytes, n);
}

/* ---- numbers ---- */

void
map_init(struct map *map)
{
    *map = (struct map){0};
}

void
map_fini(struct map *map)
{
    free(map->slots);
    map_init(map);
}

/* The slot that holds the key, or the empty one where it would go. */
static size_t
map_find(const struct map *map, uint64_t a, uint64_t b)
{
    size_t mask = map->cap - 1;
    size_t at = hash_u64(a, b) & mask;
    while (map->slots[at].value && (map->slots[at].a != a || map->slots[at].b != b))
        at = (at + 1) & mask;
    return at;
}

void *
map_get(const struct map *map, uint64_t a, uint64_t b)
{
    return map->n ? map->slots[map_find(map, a, b)].value : NULL;
}

static void
map_grow(struct map *map)
{
    struct map old = *map;
    map->cap = old.cap ? old.cap * 2 : FIRST_CAP;
    map->slots = xcalloc(map->cap, sizeof(map->slots[0]));
    for (size_t i = 0; i < old.cap; i++)
        if (old.slots[i].value)
            map->slots[map_find(map, old.slots[i].a, old.slots[i].b)] = old.slots[i];
    free(old.slots);
}

void
map_put(struct map *map, uint64_t a, uint64_t b, void *value)
{
    assert(value);
    if ((map->n + 1) * 4 > map->cap * 3)
        map_grow(map);
    struct map_slot *slot = &map->slots[map_find(map, a, b)];
    if (!slot->value)
        map->n++;
    *slot = (struct map_slot){a, b, value};
}

void *
map_remove(struct map *map, uint64_t a, uint64_t b)
{
    if (map->n == 0)
        return NULL;
    size_t mask = map->cap - 1;
    size_t hole = map_find(map, a, b);
    void *value = map->slots[hole].value;
    if (!value)
        return NULL;

    for (size_t at = (hole + 1) & mask; map->slots[at].value; at = (at + 1) & mask) {
        size_t home = hash_u64(map->slots[at].a, map->slots[at].b) & mask;
        if (((at - home) & mask) >= ((at - hole) & mask)) {
            map->slots[hole] = map->slots[at];
            hole = at;
        }
    }
    map->slots[hole] = (struct map_slot){0};
    map->n--;
    return value;
}

void *
map_next(const struct map *map, size_t *at)
{
    while (*at < map->cap) {
        void *value = map->slots[(*at)++].value;
        if (value)
            return value;
    }
    return NULL;
}

/* ---- byte strings ---- */

void
smap_init(struct smap *map)
{
    *map = (struct smap){0};
}

void
smap_fini(struct smap *map)
{
    free(map->slots);
    smap_init(map);
}

static size_t
smap_find(const struct smap *map, struct slice key, uint64_t hash)
{
    size_t mask = map->cap - 1;
    size_t at = hash & mask;
    while (map->slots[at].value &&
           (map->slots[at].hash != hash || !slice_eq(map->slots[at].key, key)))
        at = (at + 1) & mask;
    return at;
}

void *
smap_get(const struct smap *map, struct slice key)
{
    if (map->n == 0)
        return NULL;
    return map->slots[smap_find(map, key, hash_bytes(key.p, key.n))].value;
}

static void
smap_grow(struct smap *map)
{
    struct smap old = *map;
    map->cap = old.cap ? old.cap * 2 : FIRST_CAP;
    map->slots = xcalloc(map->cap, sizeof(map->slots[0]));
    for (size_t i = 0; i < old.cap; i++)
        if (old.slots[i].value)
            map->slots[smap_find(map, old.slots[i].key, old.slots[i].hash)] =
                old.slots[i];
    free(old.slots);
}

void
smap_put(struct smap *map, struct slice key, void *value)
{
    assert(value);
    if ((map->n + 1) * 4 > map->cap * 3)
        smap_grow(map);
    uint64_t hash = hash_bytes(key.p, key.n);
    struct smap_slot *slot = &map->slots[smap_find(map, key, hash)];
    if (!slot->value)
        map->n++;
    *slot = (struct smap_slot){key, hash, value};
}

void *
smap_remove(struct smap *map, struct slice key)
{
    if (map->n == 0)
        return NULL;
    size_t mask = map->cap - 1;
    size_t hole = smap_find(map, key, hash_bytes(key.p, key.n));
    void *value = map->slots[hole].value;
    if (!value)
        return NULL;

    for (size_t at = (hole + 1) & mask; map->slots[at].value; at = (at + 1) & mask) {
        size_t home = map->slots[at].hash & mask;
        if (((at - home) & mask) >= ((at - hole) & mask)) {
            map->slots[hole] = map->slots[at];
            hole = at;
        }
    }
    map->slots[hole] = (struct smap_slot){0};
    map->n--;
    return value;
}

void *
smap_next(const struct smap *map, size_t *at)
{
    while (*at < map->cap) {
        void *value = map->slots[(*at)++].value;
        if (value)
            return value;
    }
    return NULL;
}
