/*
 * A page that was found damaged while the store ran. The program ends then, but a next
 * start would read other pages first, send again what had been in flight, and end at
 * the same page: for ever, if somebody starts it again and again. So the page's number
 * is kept in a file, and a start looks at that page before anything else.
 */
#include "store/sqlite_private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/iofd.h"
#include "base/log.h"
#include "store/sqlite_sum.h"

#define NOTE_MAX 32 /* bytes: the number and a line's end */

void
sqlite_damage_note(struct sqlite_store *s)
{
    uint32_t page = s->db ? sqlite_sum_of(s->db)->page : 0;
    char note[NOTE_MAX];
    struct err err = {0};

    if (page == 0)
        return;
    int n = snprintf(note, sizeof(note), "%u\n", (unsigned)page);
    /* Without it the next start finds the page by itself, later. */
    if (file_write(s->damage_path, note, (size_t)n, 0600, &err) != 0)
        log_msg(LOG_WARN, "the damaged page could not be noted: %s", err.text);
}

/* Through the checksums' VFS: opening the file a second time and closing it would drop
 * SQLite's locks (fcntl(2), "close"). */
static int
read_page(struct sqlite_store *s, uint32_t page)
{
    uint8_t bytes[SUM_PAGE];
    sqlite3_file *file = NULL;
    int rc = sqlite3_file_control(s->db, "main", SQLITE_FCNTL_FILE_POINTER, &file);

    if (rc != SQLITE_OK || !file->pMethods)
        return SQLITE_ERROR;
    return file->pMethods->xRead(file, bytes, SUM_PAGE,
                                 (sqlite3_int64)(page - 1) * SUM_PAGE);
}

int
sqlite_damage_check(struct sqlite_store *s, const char *dir, struct err *err)
{
    char *note;
    size_t n;

    int rc = file_read(s->damage_path, NOTE_MAX, &note, &n, err);
    if (rc == E_NOT_FOUND)
        return 0;
    if (rc != 0)
        return rc;
    unsigned long page = strtoul(note, NULL, 10);
    free(note);
    if (page > 0 && page <= UINT32_MAX && read_page(s, (uint32_t)page) != SQLITE_OK)
        return err_set(
            err, E_IO,
            "%s/pushwire.db: page %lu is damaged: it is not what was written; "
            "restore a backup into a new folder (pushwire restore)",
            dir, page);
    /* It is what was written after all, so it was not the disk. */
    if (unlink(s->damage_path) != 0)
        return err_set(err, E_IO, "%s: %s", s->damage_path, strerror(errno));
    return 0;
}
