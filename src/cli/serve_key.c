/* The admin key that the server makes for its operator, and the file that has it. */
#include "cli/serve.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/iofd.h"
#include "base/log.h"
#include "base/rng.h"

struct key_change {
    struct engine_change change;
    struct key key;
    pthread_mutex_t lock;
    pthread_cond_t ended;
    bool done;
};

static int
key_apply(struct engine *engine, struct engine_change *change)
{
    (void)engine;
    change->key = container_of(change, struct key_change, change)->key;
    change->put_key = true;
    return 0;
}

static void
key_done(struct engine_change *change)
{
    struct key_change *make = container_of(change, struct key_change, change);

    pthread_mutex_lock(&make->lock);
    make->done = true;
    pthread_cond_signal(&make->ended);
    pthread_mutex_unlock(&make->lock);
}

static int
commit_key(struct server *server, const struct key *key, struct err *err)
{
    struct key_change make = {
        .change = {.apply = key_apply, .done = key_done},
        .key = *key,
    };

    pthread_mutex_init(&make.lock, NULL);
    pthread_cond_init(&make.ended, NULL);
    engine_change(server->engine, &make.change);
    pthread_mutex_lock(&make.lock);
    while (!make.done)
        pthread_cond_wait(&make.ended, &make.lock);
    pthread_mutex_unlock(&make.lock);
    pthread_cond_destroy(&make.ended);
    pthread_mutex_destroy(&make.lock);
    if (make.change.result != 0)
        *err = make.change.err;
    return make.change.result;
}

/* The file first: a key that is in the store and in nobody's hands opens nothing, while
 * a file that no key in the store matches is replaced at the next start. */
static int
make_admin_key(struct server *server, struct err *err)
{
    struct key key = {.role = ROLE_ADMIN};
    char text[KEY_TEXT + 1];

    key_make(&key, text, &rng_system);
    key.created_ms = clock_wall_us(&clock_system) / 1000;
    size_t n = strlen(text);
    text[n] = '\n';
    int rc = file_write(server->key_path, text, n + 1, 0600, err);
    crypto_wipe(text, sizeof(text));
    if (rc == 0)
        rc = commit_key(server, &key, err);
    if (rc == 0)
        log_line(LOG_INFO, "key.created", LOG_S("key", key.id), LOG_S("role", "admin"),
                 LOG_S("file", server->key_path));
    return rc;
}

static void
warn_readable_key(const char *path)
{
    struct stat st;

    if (stat(path, &st) == 0 && (st.st_mode & 077) != 0)
        log_msg(LOG_WARN, "%s can be read by others than its owner: chmod 600 it",
                path);
}

/* Whether the file's key is one of the store's; E_NOT_FOUND: there is no file. */
static int
check_key_file(struct server *server, bool *known, struct err *err)
{
    char *text;
    char id[ID_TEXT];
    struct key key;
    size_t n;

    int rc = file_read(server->key_path, PATH_MAX_BYTES, &text, &n, err);
    if (rc != 0)
        return rc;
    struct slice line = {text, strcspn(text, "\r\n")};
    *known = key_id_of(line, id) && engine_key(server->engine, slice_of(id), &key) &&
             key_matches(&key, line);
    crypto_wipe(text, n);
    free(text);
    return 0;
}

int
server_ensure_key(struct server *server, struct err *err)
{
    struct key any;
    bool has_keys = engine_keys(server->engine, 0, &any, 1) > 0;
    bool known = false;

    if (option_on(server->options, OPTION_NEW_KEY))
        return make_admin_key(server, err);
    int rc = check_key_file(server, &known, err);
    if (rc != 0 && rc != E_NOT_FOUND)
        return rc;
    if (!has_keys) {
        if (rc == 0)
            log_msg(LOG_WARN, "%s is of another store: it is replaced",
                    server->key_path);
        return make_admin_key(server, err);
    }
    if (rc == E_NOT_FOUND)
        log_msg(
            LOG_WARN,
            "%s is missing; the keys in use go on working (--new-key makes another)",
            server->key_path);
    else if (!known)
        log_msg(LOG_WARN,
                "the key in %s is not one of this store's (--new-key makes another)",
                server->key_path);
    else
        warn_readable_key(server->key_path);
    return 0;
}
