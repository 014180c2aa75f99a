/* Runs a target once for every file of its corpus, and for every beginning of it: what
 * `make fuzz` found stays found. Prints TAP. */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"

#define INPUT_MAX_BYTES  (256 * 1024)
#define PREFIX_MAX_BYTES 1024

static void
give(const uint8_t *bytes, size_t n)
{
    /* A copy of exactly this size, so that a sanitizer sees one byte too far. */
    uint8_t *copy = malloc(n > 0 ? n : 1);
    if (!copy)
        abort();
    memcpy(copy, bytes, n);
    LLVMFuzzerTestOneInput(copy, n);
    free(copy);
}

static int
replay(const char *path)
{
    static uint8_t bytes[INPUT_MAX_BYTES];
    FILE *file = fopen(path, "rb");
    if (!file) {
        printf("# %s: %s\n", path, strerror(errno));
        return -1;
    }
    size_t n = fread(bytes, 1, sizeof(bytes), file);
    fclose(file);

    give(bytes, n);
    for (size_t cut = 0; cut < n && cut < PREFIX_MAX_BYTES; cut++)
        give(bytes, cut);
    return 0;
}

static int
is_input(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

int
main(int argc, char **argv)
{
    struct dirent **names = NULL;
    int n = argc == 2 ? scandir(argv[1], &names, is_input, alphasort) : -1;
    int failed = 0;
    if (n < 0) {
        fprintf(stderr, "usage: %s CORPUS\n", argv[0]);
        return 2;
    }

    printf("1..%d\n", n);
    for (int i = 0; i < n; i++) {
        char path[PATH_MAX];
        snprintf(path, sizeof(path), "%s/%s", argv[1], names[i]->d_name);
        printf("# %s\n", names[i]->d_name);
        fflush(stdout);
        int bad = replay(path) != 0;
        printf("%sok %d - %s\n", bad ? "not " : "", i + 1, names[i]->d_name);
        failed += bad;
        free(names[i]);
    }
    free(names);
    return failed ? 1 : 0;
}
