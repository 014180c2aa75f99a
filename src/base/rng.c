#include "base/rng.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

static void
system_fill(struct rng *rng, void *bytes, size_t n)
{
    (void)rng;
    char *at = bytes;
    while (n > 0) {
        ssize_t got = getrandom(at, n, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0) {
            fprintf(stderr, "pushwire: the kernel gives no random bytes\n");
            abort();
        }
        at += got;
        n -= (size_t)got;
    }
}

struct rng rng_system = {system_fill};

static uint64_t
rotl(uint64_t x, int by)
{
    return (x << by) | (x >> (64 - by));
}

/* xoshiro256**, Blackman and Vigna. */
static uint64_t
seeded_next(uint64_t s[4])
{
    uint64_t result = rotl(s[1] * 5, 7) * 9;
    uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotl(s[3], 45);
    return result;
}

static void
seeded_fill(struct rng *rng, void *bytes, size_t n)
{
    struct rng_seeded *seeded = container_of(rng, struct rng_seeded, rng);
    char *at = bytes;
    while (n > 0) {
        uint64_t word = seeded_next(seeded->state);
        size_t take = n < sizeof(word) ? n : sizeof(word);
        memcpy(at, &word, take);
        at += take;
        n -= take;
    }
}

void
rng_seeded_init(struct rng_seeded *seeded, uint64_t seed)
{
    seeded->rng.fill = seeded_fill;
    for (size_t i = 0; i < ARRAY_LEN(seeded->state); i++) { /* splitmix64 */
        seed += UINT64_C(0x9e3779b97f4a7c15);
        uint64_t z = seed;
        z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
        z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
        seeded->state[i] = z ^ (z >> 31);
    }
}

uint64_t
rng_u64(struct rng *rng)
{
    uint64_t value;
    rng->fill(rng, &value, sizeof(value));
    return value;
}

uint64_t
rng_below(struct rng *rng, uint64_t bound)
{
    assert(bound > 0);
    /* Values below this would make the first few results likelier. */
    uint64_t reject_below = (0 - bound) % bound;
    uint64_t value;
    do
        value = rng_u64(rng);
    while (value < reject_below);
    return value % bound;
}
