/* API keys: what they look like, who may do what. A key is
 * "pw_<role>_<13 id><43 secret><6 check>"-shaped text; only its SHA-256 is ever stored.
 *
 * The check is for programs that look for keys that got out, and for slips of the pen:
 * the first 36 bits of the SHA-256 of all before it, in the secret's digits. Keys of
 * before there was one end with the secret, and go on working. */
#pragma once

#include "base/crypto.h"
#include "base/ids.h"
#include "base/rng.h"
#include "base/types.h"

enum role { ROLE_ADMIN, ROLE_MANAGE, ROLE_INGEST, ROLE_READ, ROLES };

const char *role_name(enum role role);
bool role_parse(struct slice name, enum role *role);

/* What a route asks for. MAY_ASK: any key will do. */
enum permission { MAY_ADMIN, MAY_MANAGE, MAY_INGEST, MAY_READ, MAY_ASK };

struct key {
    uint64_t number;
    char id[ID_TEXT]; /* key_… : public, used to find the row */
    enum role role;
    uint64_t channel; /* number; 0 = all channels (admin, and read without a channel) */
    uint8_t hash[SHA256_BYTES];
    msec_t created_ms;
    msec_t expires_ms; /* steady: it opens nothing from then on; 0 = never */
};

#define KEY_TEXT 96 /* room for a whole key and its NUL */

/* Makes a new key: fills id and hash of `key` and the text that is shown once. */
void key_make(struct key *key, char text[KEY_TEXT], struct rng *rng);
/* The public id inside a key's text, without checking the secret. False if it does not
 * look like a key. */
bool key_id_of(struct slice text, char id[ID_TEXT]);
bool key_matches(const struct key *key, struct slice text); /* constant time */
bool key_expired(const struct key *key, msec_t now_ms);
bool key_may(const struct key *key, enum permission permission,
             uint64_t channel); /* channel 0 = a route above channels */
