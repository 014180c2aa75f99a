#include "base/fault.h"

#ifdef PUSHWIRE_FAULTS

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/types.h"

static const struct {
    const char *name;
    const char *what;
} switches[] = {
    {"sync-off", "the database is never synced"},
    {"sync-believed", "a sync that failed is taken for a full disk"},
    {"sum-unread", "checksums of the disk are not looked at"},
    {"acked-early", "seven groups of eight are acknowledged before their commit"},
    {"key-dropped-early", "the old master key goes before all is sealed with the new"},
    {"turn-kept", "whoever had a turn has the next one, too"},
    {"hang-sender", "the senders never turn again"},
    {"escape-read", "an intruder reads /etc/shadow"},
    {"escape-write", "an intruder writes to /tmp"},
    {"escape-exec", "an intruder runs another program"},
    {"escape-sniff", "an intruder opens a packet socket"},
    {"escape-trace", "an intruder asks to be traced"},
    {"escape-code", "an intruder maps memory for code of its own"},
    {"escape-fork", "an intruder starts a process"},
};

static bool on[ARRAY_LEN(switches)];

static size_t
find(const char *name, size_t n)
{
    size_t i = 0;
    while (i < ARRAY_LEN(switches) &&
           (strlen(switches[i].name) != n || strncmp(switches[i].name, name, n) != 0))
        i++;
    return i;
}

static void
read_once(void)
{
    const char *word = getenv("PUSHWIRE_FAULT");
    while (word && *word) {
        size_t n = strcspn(word, ",");
        size_t at = find(word, n);
        if (at == ARRAY_LEN(switches)) {
            fprintf(stderr, "PUSHWIRE_FAULT: no switch is called %.*s\n", (int)n, word);
            exit(2);
        }
        fprintf(stderr, "fault: %s: %s\n", switches[at].name, switches[at].what);
        on[at] = true;
        word += n + (word[n] == ',');
    }
}

bool
fault_on(const char *name)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    size_t at = find(name, strlen(name));
    assert(at < ARRAY_LEN(switches));
    pthread_once(&once, read_once);
    return on[at];
}

#endif
