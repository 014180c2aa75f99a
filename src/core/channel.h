/*
 * Channels as the rest of the program sees them: immutable, counted references,
 * replaced whole. Beside its name a channel has settings, which say what its apps are
 * told (topics, tags, attributes, what else the SDKs' config route answers), which web
 * pages may ask, and who has to allow it.
 */
#pragma once

#include <stdatomic.h>

#include "base/buf.h"
#include "base/ids.h"
#include "base/types.h"

#define CHANNEL_NAME_MAX     200
#define CHANNEL_LIST_MAX     1000 /* topics, tags, attributes: of each */
#define CHANNEL_ORIGINS_MAX  100
#define CHANNEL_BUNDLES_MAX  100
#define CHANNEL_ORIGIN_MAX   300 /* bytes of an origin, a bundle id */
#define CHANNEL_SETTINGS_MAX ((size_t)256 * 1024)
#define CHANNEL_TRIAL_MS     ((msec_t)30 * 24 * 3600 * 1000) /* unless a date is given */

/* The public routes that change a subscription and that an authorizer may guard. */
enum gated_route {
    GATED_SYNC,
    GATED_UNSUBSCRIBE,
    GATED_TOPIC_ADD,
    GATED_TOPIC_REMOVE,
    GATED_TAG,
    GATED_UNTAG,
    GATED_ATTRIBUTE,
    GATED_ATTRIBUTE_PUSH,
    GATED_ATTRIBUTE_PULL,
    GATED_ATTRIBUTE_CLEAR,
    GATED_ROUTES
};

/* "/subscription/topic/add" …; of GATED_SYNC "/subscription/sync". */
const char *gated_route_path(enum gated_route route);
bool gated_route_parse(struct slice path, enum gated_route *route);

/* The customer's own yes or no to a change that an app asks for. */
struct authorizer {
    char *url;
    char *authorization; /* the fixed value of its header; a secret */
    uint32_t routes;     /* bit per gated_route */
};

/* What is JSON here is valid and without white space. */
struct channel_settings {
    char *fcm_id;     /* of Firebase, digits; NULL = none */
    char *topics;     /* array of {"_id", "name", …} */
    char *tags;       /* likewise */
    char *attributes; /* array of {"id", "name"} */
    char *sdk;        /* object: further members of what the config route answers */
    char **origins;   /* of web pages that may ask: "https://www.example.com", or "*" */
    size_t n_origins;
    char **bundles; /* ids of the apps that ask for their channel by them */
    size_t n_bundles;
    struct authorizer *authorizer; /* NULL = none */
};

struct channel {
    atomic_uint refs;
    uint64_t number;
    char id[ID_MAX + 1];
    char *name;
    bool deleted;
    msec_t created_ms;
    msec_t updated_ms;
    msec_t trial_ends_ms; /* steady; MSEC_NEVER = it is no trial */
    struct channel_settings settings;
};

struct channel *channel_new(void); /* one reference; empty settings */
struct channel *channel_copy(const struct channel *channel);
struct channel *channel_ref(struct channel *channel);
void channel_unref(struct channel *channel); /* NULL is fine */

/* From its end on a trial takes no new events and its calls are held; nothing of it
 * goes, and all goes on when the end is moved or lifted. */
static inline bool
trial_is_over(msec_t ends_ms, msec_t now_ms)
{
    return ends_ms <= now_ms;
}

#define TRIAL_TEXT 80
/* "the channel's trial ended at …" */
void trial_write_ended(char text[TRIAL_TEXT], msec_t ends_ms);

/* For a channel that nobody else sees yet. */
void settings_add_origin(struct channel_settings *settings, struct slice origin);
void settings_clear_origins(struct channel_settings *settings);
void settings_add_bundle(struct channel_settings *settings, struct slice bundle);
void settings_clear_bundles(struct channel_settings *settings);
void settings_set_authorizer(struct channel_settings *settings, const char *url,
                             const char *authorization, uint32_t routes);
void settings_clear_authorizer(struct channel_settings *settings);
/* Replaces *text by a copy of the value. */
void settings_set(char **text, struct slice value);

/* A page of this origin may ask. */
bool settings_allow_origin(const struct channel_settings *settings,
                           struct slice origin);
bool settings_have_bundle(const struct channel_settings *settings, struct slice bundle);
bool settings_gate(const struct channel_settings *settings, enum gated_route route);

/* As one JSON object, secrets included, for the store; and back. */
int settings_write(struct buf *out, const struct channel_settings *settings) must_check;
/* False when this is not what settings_write wrote; the settings stay as they were. */
bool settings_read(struct channel_settings *settings, struct slice json) must_check;

/* What the SDKs' config route answers. */
void channel_write_config(struct buf *out, const struct channel *channel);
