/* What the process gives up before it listens to anybody: docs/hardening.md. */
#include "base/sandbox.h"

#include <assert.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "cli/serve.h"

/* In the order of options_table.c's words. */
enum how { SANDBOX_ON, SANDBOX_STRICT, SANDBOX_OFF };

static enum how
how(const struct server *server)
{
    return (enum how)option_number(server->options, OPTION_SANDBOX);
}

int
server_become_user(struct server *server, struct err *err)
{
    const char *user = option_text(server->options, OPTION_USER);

    if (user) {
        const char *dir = option_text(server->options, OPTION_DATA);
        int rc = sandbox_become(user, dir, err);
        return rc == 0 ? 0 : err_wrap(err, "--user");
    }
    if (geteuid() == 0)
        log_msg(LOG_WARN, "the server runs as root; it needs none of that: --user NAME "
                          "makes it run as another user");
    return 0;
}

/* What may be read later, besides what every program reads. */
struct readable {
    const char *paths[9];
    size_t n;
    char room[6][PATH_MAX_BYTES];
    size_t rooms;
};

/* A folder that has what concerns nobody stays closed. */
static bool
too_wide(const char *folder)
{
    static const char *const names[] = {"",     "/etc", "/root", "/home",
                                        "/var", "/tmp", "/usr"};

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (strcmp(folder, names[i]) == 0)
            return true;
    return false;
}

static void
add_folder_of(struct readable *readable, const char *file)
{
    const char *slash = strrchr(file, '/');
    size_t n = slash ? (size_t)(slash - file) : 0;

    assert(readable->rooms < ARRAY_LEN(readable->room));
    char *folder = readable->room[readable->rooms];
    if (!slash || n >= PATH_MAX_BYTES)
        return;
    memcpy(folder, file, n);
    folder[n] = '\0';
    if (too_wide(folder))
        return;
    readable->rooms++;
    readable->paths[readable->n++] = folder;
}

/* A file, and its folder, so that it can be replaced while the server runs; where it is
 * a link, as certbot makes them, also the folder of what it leads to. */
static void
add_file(struct readable *readable, const char *file)
{
    if (!file)
        return;
    readable->paths[readable->n++] = file;
    add_folder_of(readable, file);
    char *real = realpath(file, NULL);
    if (real)
        add_folder_of(readable, real);
    free(real);
}

static void
say(const struct sandbox *sandbox)
{
    bool all = true;
    for (unsigned i = 0; i < SANDBOX_LAYERS; i++)
        all = all && sandbox->held[i];
    log_line(all ? LOG_INFO : LOG_WARN, "sandbox",
             LOG_S("capabilities", sandbox->how[SANDBOX_CAPABILITIES]),
             LOG_S("files", sandbox->how[SANDBOX_FILES]),
             LOG_S("calls", sandbox->how[SANDBOX_CALLS]),
             LOG_I("uid", (int64_t)geteuid()));
}

int
server_enter_sandbox(struct server *server, struct err *err)
{
    struct readable readable = {.n = 0};
    struct sandbox sandbox = {
        .writable = option_text(server->options, OPTION_DATA),
        .readable = readable.paths,
        .all_layers = how(server) == SANDBOX_STRICT,
    };

    if (how(server) == SANDBOX_OFF) {
        log_msg(LOG_WARN, "--sandbox off: whoever takes the process over can do what "
                          "its user can");
        return 0;
    }
    add_file(&readable, option_text(server->options, OPTION_CA_FILE));
    add_file(&readable, option_text(server->options, OPTION_TLS_CERTIFICATE));
    add_file(&readable, option_text(server->options, OPTION_TLS_KEY));
    sandbox.n_readable = readable.n;
    int rc = sandbox_enter(&sandbox, err);
    if (rc == 0)
        say(&sandbox);
    return rc;
}
