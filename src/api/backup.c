/* A copy of everything, as a file. One at a time: each takes the data folder's room. */
#include "api/resources.h"

#define DIGEST_TEXT 80

static void
backup_over(void *own)
{
    struct api *api = own;
    atomic_store(&api->backing_up, false);
}

static void
backup_done(struct engine_backup *backup)
{
    struct api_request *r = container_of(backup, struct api_request, op.backup);
    struct buf digest;

    switch (backup->result) {
    case 0:
        break;
    case E_FULL:
        api_problem(r, 507, "%s", backup->why ? backup->why : "the disk is full");
        return;
    case E_BUSY:
    case E_INVALID:
        api_problem(r, 500, "%s", backup->why ? backup->why : "no copy can be made");
        return;
    default:
        api_refuse(r, backup->result, backup->why);
        return;
    }
    /* RFC 9530 */
    buf_init(&digest, DIGEST_TEXT);
    buf_adds(&digest, "sha-256=:");
    (void)base64_add(&digest, backup->sha256, sizeof(backup->sha256));
    buf_adds(&digest, ":");
    httpd_answer_header(r->req, "Repr-Digest", digest.p);
    buf_fini(&digest);
    api_answer_file(r->req, "application/vnd.sqlite3", backup->fd, backup->bytes);
}

void
backup_make(struct api_request *r)
{
    if (atomic_exchange(&r->api->backing_up, true)) {
        api_problem(r, 409, "another backup is being made or taken: one at a time");
        return;
    }
    r->own = r->api;
    r->own_free = backup_over;
    r->op.backup = (struct engine_backup){.done = backup_done};
    httpd_hold(r->req);
    engine_backup(r->api->engine, &r->op.backup);
}
