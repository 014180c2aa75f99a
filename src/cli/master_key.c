/* The master key: its file, and pushwire key rotate-master. */
#include "cli/master_key.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/command.h"
#include "store/store.h"

static bool
join(char out[MASTER_KEY_PATH_MAX], const char *dir, const char *name)
{
    int n = snprintf(out, MASTER_KEY_PATH_MAX, "%s%s%s", dir, *name ? "/" : "", name);
    return n >= 0 && n < MASTER_KEY_PATH_MAX;
}

int
master_key_path(const struct options *options, char out[MASTER_KEY_PATH_MAX],
                struct err *err)
{
    const char *credentials = getenv("CREDENTIALS_DIRECTORY");
    bool fits;

    if (option_given(options, OPTION_MASTER_KEY))
        fits = join(out, option_text(options, OPTION_MASTER_KEY), "");
    else if (credentials && join(out, credentials, "master.key") &&
             access(out, F_OK) == 0)
        fits = true;
    else
        fits = join(out, option_text(options, OPTION_DATA), "master.key");
    return fits ? 0 : err_set(err, E_INVALID, "the master key's path is too long");
}

int
key_rotate_master(const struct command_line *line)
{
    const char *dir = option_text(&line->options, OPTION_DATA);
    char path[MASTER_KEY_PATH_MAX], database[MASTER_KEY_PATH_MAX], key[64];
    struct err err = {0};
    const struct store_sqlite_options options = {
        .dir = dir,
        .clock = &clock_system,
        .key_file = path,
    };

    /* Opening would make a store where there is none. */
    int rc = 0;
    if (!join(database, dir, "pushwire.db") || access(database, F_OK) != 0)
        rc = err_set(&err, E_NOT_FOUND, "--data: there is no store in %s", dir);
    if (rc == 0)
        rc = master_key_path(&line->options, path, &err);
    if (rc == 0)
        rc = store_sqlite_rotate_key(&options, key, &err);
    if (rc == E_BUSY)
        err_set(&err, rc,
                "a server is using %s: stop it first, and start it when the key is "
                "changed",
                dir);
    if (rc != 0)
        return command_fail(line, &err);
    printf("the master key is %s now; backups made before still need the old one\n",
           key);
    return DONE;
}
