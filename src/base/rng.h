/* Randomness behind one function: the kernel's in earnest, a seed in simulations. */
#pragma once

#include "base/types.h"

struct rng {
    void (*fill)(struct rng *rng, void *bytes,
                 size_t n); /* cannot fail: stops the program instead */
};

extern struct rng rng_system; /* getrandom(2); any thread; fit for secrets */

struct rng_seeded {
    struct rng rng;
    uint64_t state[4];
};

void rng_seeded_init(struct rng_seeded *seeded,
                     uint64_t seed); /* xoshiro256**; for tests only */

uint64_t rng_u64(struct rng *rng);
uint64_t rng_below(struct rng *rng, uint64_t bound); /* 0 … bound-1, even; bound > 0 */
