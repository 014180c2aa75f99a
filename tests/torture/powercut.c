/* Shuts the file system of a folder down without writing its journal out: what was not
 * synced is gone, as when the power fails. powercut FOLDER */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define FS_IOC_SHUTDOWN  _IOR('X', 125, uint32_t)
#define WITHOUT_LOGFLUSH 2

int
main(int argc, char **argv)
{
    uint32_t how = WITHOUT_LOGFLUSH;
    int fd = argc == 2 ? open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;

    if (fd < 0 || ioctl(fd, FS_IOC_SHUTDOWN, &how) != 0) {
        fprintf(stderr, "powercut: %s\n", strerror(errno));
        return 1;
    }
    close(fd);
    return 0;
}
