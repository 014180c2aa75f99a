/* The server's folder, looked at on its own machine. Nothing is written. */
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "cli/doctor.h"
#include "store/look.h"

#define PATH_LONG   4096
#define LITTLE_ROOM ((uint64_t)256 << 20)

/* The status of a file in the folder; 0 or errno. */
static int
status_of(const struct doctor *doctor, const char *name, struct stat *st)
{
    char path[PATH_LONG];
    int n =
        snprintf(path, sizeof(path), "%s%s%s", doctor->data, *name ? "/" : "", name);

    if (n < 0 || (size_t)n >= sizeof(path))
        return ENAMETOOLONG;
    return stat(path, st) == 0 ? 0 : errno;
}

static bool
is_there(const struct doctor *doctor)
{
    struct stat st;
    return doctor->data && status_of(doctor, "", &st) == 0 && S_ISDIR(st.st_mode);
}

void
check_folder(struct doctor *doctor)
{
    struct stat st, db;
    char next[FINDING_TEXT];

    if (!doctor->data)
        return;
    int rc = status_of(doctor, "", &st);
    if (rc != 0 || !S_ISDIR(st.st_mode)) {
        doctor_say(doctor, "data", FINDING_PROBLEM,
                   "give the folder that the server was started with", "%s: %s",
                   doctor->data, rc ? strerror(rc) : "not a folder");
        return;
    }
    if (st.st_mode & (S_IRWXG | S_IRWXO)) {
        snprintf(next, sizeof(next), "chmod 700 %s", doctor->data);
        doctor_say(doctor, "data", FINDING_WARNING, next,
                   "others may look into %s (mode %04o)", doctor->data,
                   (unsigned)st.st_mode & 07777);
    } else if (status_of(doctor, "pushwire.db", &db) == 0 && db.st_uid != st.st_uid) {
        snprintf(next, sizeof(next), "chown -R the folder to the server's user");
        doctor_say(doctor, "data", FINDING_PROBLEM, next,
                   "%s belongs to the user %u, its database to %u", doctor->data,
                   (unsigned)st.st_uid, (unsigned)db.st_uid);
    } else {
        doctor_say(doctor, "data", FINDING_OK, NULL, "%s, for its owner alone",
                   doctor->data);
    }
}

static void
check_mode(struct doctor *doctor, const char *name, const char *without)
{
    struct stat st;
    char next[FINDING_TEXT];

    int rc = status_of(doctor, name, &st);
    if (rc == ENOENT) {
        doctor_say(doctor, name, FINDING_UNKNOWN, without, "not in %s", doctor->data);
    } else if (rc != 0) {
        doctor_say(doctor, name, FINDING_UNKNOWN, "look as the server's user",
                   "%s/%s: %s", doctor->data, name, strerror(rc));
    } else if (st.st_mode & (S_IRWXG | S_IRWXO)) {
        snprintf(next, sizeof(next), "chmod 600 %s/%s", doctor->data, name);
        doctor_say(doctor, name, FINDING_PROBLEM, next,
                   "others can read it (mode %04o)", (unsigned)st.st_mode & 07777);
    } else {
        doctor_say(doctor, name, FINDING_OK, NULL, "for its owner alone");
    }
}

void
check_keys(struct doctor *doctor)
{
    struct stat st;

    /* A folder without a store has no keys yet. */
    if (!is_there(doctor) || status_of(doctor, "pushwire.db", &st) == ENOENT)
        return;
    check_mode(doctor, "admin.key", "`pushwire serve --new-key` makes another");
    check_mode(doctor, "master.key",
               "it should be where --master-key says, or the secrets are lost");
}

static void
say_use(struct doctor *doctor, bool in_use)
{
    bool answers = doctor->me.status != 0;

    if (in_use && answers)
        doctor_say(doctor, "in use", FINDING_OK, NULL, "a server uses it");
    else if (in_use)
        doctor_say(doctor, "in use", FINDING_PROBLEM,
                   "say with --url where it listens: its log names the address",
                   "a server uses it, and none answers at %s", doctor->url);
    else if (answers)
        doctor_say(doctor, "in use", FINDING_WARNING,
                   "give the folder of the server that answers",
                   "no server uses it, and one answers at %s", doctor->url);
    else
        doctor_say(doctor, "in use", FINDING_OK, "`pushwire serve` starts one",
                   "no server uses it");
}

void
check_store(struct doctor *doctor)
{
    struct store_look look;
    struct err err = {0};

    if (!is_there(doctor))
        return;
    int rc = store_look(doctor->data, &look, &err);
    say_use(doctor, look.in_use);
    if (look.damaged)
        doctor_say(doctor, "database", FINDING_PROBLEM,
                   "restore a backup into a new folder: pushwire restore --help",
                   "a page was found that is not what was written "
                   "(%s/pushwire.damaged)",
                   doctor->data);
    else if (rc != 0)
        doctor_say(doctor, "database", rc == E_IO ? FINDING_UNKNOWN : FINDING_PROBLEM,
                   rc == E_IO ? "look as the server's user"
                              : "look whether --data names the right folder, or "
                                "restore a backup into a new one",
                   "%s", err.text);
    else if (!look.exists)
        doctor_say(doctor, "database", FINDING_WARNING, "`pushwire serve` makes one",
                   "there is none in %s", doctor->data);
    else if (look.schema == 0)
        doctor_say(doctor, "database", FINDING_OK, NULL, "new, its server has it open");
    else if (look.schema > look.newest)
        doctor_say(doctor, "database", FINDING_PROBLEM,
                   "use the newer program: this one refuses it",
                   "schema %d is newer than this program's %d", look.schema,
                   look.newest);
    else if (look.schema < look.newest)
        doctor_say(doctor, "database", FINDING_OK,
                   "this program upgrades it at its start: take a backup before",
                   "schema %d; this program's is %d", look.schema, look.newest);
    else
        doctor_say(doctor, "database", FINDING_OK, NULL, "schema %d, as this program's",
                   look.newest);
}

/* The server's own figure is better: it knows its limits. */
void
check_room(struct doctor *doctor)
{
    struct statvfs fs;
    double ignored;

    if (!is_there(doctor) ||
        doctor_metric(doctor, "pushwire_disk_left_bytes", &ignored) ||
        statvfs(doctor->data, &fs) != 0)
        return;
    uint64_t free_bytes = (uint64_t)fs.f_bavail * fs.f_frsize;
    bool little = free_bytes < LITTLE_ROOM;
    doctor_say(doctor, "room", little ? FINDING_WARNING : FINDING_OK,
               little ? "make room: below --disk-reserve new events are refused" : NULL,
               "%.1f GiB are free on its disk", (double)free_bytes / (1 << 30));
}
