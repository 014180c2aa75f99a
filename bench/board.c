#include "board.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static size_t
board_size(uint64_t slots)
{
    return sizeof(struct board) + slots * sizeof(uint64_t);
}

struct board *
board_open(const char *path)
{
    struct stat st;
    struct board *board;
    int fd = open(path, O_RDWR | O_CLOEXEC);

    if (fd < 0)
        return NULL;
    if (fstat(fd, &st) != 0 || (size_t)st.st_size <= sizeof(struct board)) {
        close(fd);
        errno = EINVAL;
        return NULL;
    }
    board = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (board == MAP_FAILED)
        return NULL;
    board->slots = ((size_t)st.st_size - sizeof(*board)) / sizeof(uint64_t);
    return board;
}

void
board_close(struct board *board)
{
    if (board)
        munmap(board, board_size(board->slots));
}

void
board_reset(struct board *board)
{
    uint64_t used = atomic_load(&board->highest);

    for (uint64_t i = 0; i < used; i++)
        atomic_store_explicit(&board->arrived_ns[i], 0, memory_order_relaxed);
    atomic_store(&board->requests, 0);
    atomic_store(&board->repeats, 0);
    atomic_store(&board->last_ns, 0);
    atomic_store(&board->highest, 0);
    atomic_store(&board->distinct, 0);
}

/* One writer, so plain loads and stores do: no locked instruction per request. */
static void
add_one(_Atomic uint64_t *counter)
{
    uint64_t v = atomic_load_explicit(counter, memory_order_relaxed);

    atomic_store_explicit(counter, v + 1, memory_order_release);
}

void
board_note(struct board *board, uint64_t seq, uint64_t now_ns)
{
    _Atomic uint64_t *slot;

    if (seq >= board->slots)
        return;
    slot = &board->arrived_ns[seq];
    if (atomic_load_explicit(slot, memory_order_relaxed) != 0) {
        add_one(&board->repeats);
        return;
    }
    atomic_store_explicit(slot, now_ns, memory_order_relaxed);
    if (seq >= atomic_load_explicit(&board->highest, memory_order_relaxed))
        atomic_store_explicit(&board->highest, seq + 1, memory_order_relaxed);
    atomic_store_explicit(&board->last_ns, now_ns, memory_order_relaxed);
    add_one(&board->distinct);
}

uint64_t
board_now_ns(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}
