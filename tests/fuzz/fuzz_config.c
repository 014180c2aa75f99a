/* The config file: whatever is in it is taken or refused with its place. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cli/config_file.h"
#include "fuzz.h"

static option_set
all_options(void)
{
    return ~(option_set)0;
}

static void
check_values(const struct options *options)
{
    for (unsigned i = 0; i < OPTIONS; i++) {
        enum option_source source = option_source(options, (enum option_id)i);
        assert(source == OPTION_BY_DEFAULT || source == OPTION_BY_FILE);
        (void)option_text(options, (enum option_id)i);
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    struct options options;
    struct err err = {0};
    char path[64];

    int fd = memfd_create("config", MFD_CLOEXEC);
    assert(fd >= 0);
    ssize_t written = write(fd, bytes, n);
    assert(written == (ssize_t)n);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);

    options_init(&options);
    int rc = config_file_read(&options, all_options(), path, &err);
    if (rc != 0) {
        assert(memchr(err.text, '\0', sizeof(err.text)));
        assert(strncmp(err.text, path, strlen(path)) == 0);
    }
    check_values(&options);
    options_fini(&options);
    close(fd);
    return 0;
}
