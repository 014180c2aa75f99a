/* Notices: few rows, of which old ones go when new ones come. */
#include "store/sqlite_private.h"
#include "store/store_notice.h"

#define PURGE_ROWS 16

int
sqlite_put_notice(struct sqlite_store *s, struct store_op *op)
{
    const struct notice_row *row = container_of(op, struct store_put_notice, op)->row;
    const enum sqlite_stmt add = STMT_NOTICE_ADD, purge = STMT_NOTICE_PURGE;

    op->result = 0;
    int rc = sqlite_group_begin(s);
    if (rc < 0)
        return rc;
    sqlite_key(s, add, 1, row->number);
    sqlite_int(s, add, 2, row->kind);
    sqlite_key(s, add, 3, row->channel);
    sqlite_text(s, add, 4, row->channel_id);
    sqlite_key(s, add, 5, row->webhook);
    sqlite_text(s, add, 6, row->text);
    sqlite_text(s, add, 7, row->data);
    sqlite_int(s, add, 8, row->waits);
    sqlite_int(s, add, 9, row->due_ms);
    s->group.rows++;
    rc = sqlite_run(s, add);
    if (rc < 0)
        return rc;
    sqlite_key(s, purge, 1, event_key_at(clock_steady_ms(s->clock) - STORE_NOTICE_MS));
    sqlite_int(s, purge, 2, STORE_NOTICES_MAX - 1);
    sqlite_int(s, purge, 3, PURGE_ROWS);
    return sqlite_run(s, purge);
}

static int
notice_at(struct sqlite_store *s, enum sqlite_stmt get, struct notice_row *row)
{
    *row = (struct notice_row){
        .number = sqlite_col_key(s, get, 0),
        .kind = (enum notice_kind)sqlite_col(s, get, 1),
        .channel = sqlite_col_key(s, get, 2),
        .channel_id = sqlite_col_bytes(s, get, 3),
        .webhook = sqlite_col_key(s, get, 4),
        .text = sqlite_col_bytes(s, get, 5),
        .data = sqlite_col_bytes(s, get, 6),
        .waits = sqlite_col(s, get, 7),
        .tries = (uint32_t)sqlite_col(s, get, 8),
        .due_ms = sqlite_col(s, get, 9),
    };
    return row->kind < NOTICE_KINDS ? 0
                                    : sqlite_damaged(s, "a notice is of no known kind");
}

int
sqlite_notices(struct sqlite_store *s, struct store_op *op)
{
    struct store_notices *list = container_of(op, struct store_notices, op);
    enum sqlite_stmt get = list->channel ? STMT_NOTICES_OF : STMT_NOTICES;
    uint64_t last = 0;
    int rc;

    op->result = 0;
    list->next = 0;
    if (list->channel && !sqlite_live_channel(s, list->channel))
        return sqlite_refuse(op, E_NOT_FOUND, "no such channel");
    if (list->waiting)
        get = STMT_NOTICES_WAITING;
    else
        sqlite_key(s, get, 1, list->before);
    if (get == STMT_NOTICES_OF)
        sqlite_key(s, get, 2, list->channel);
    for (size_t n = 0; (rc = sqlite_next(s, get)) == 1; n++) {
        struct notice_row row;
        if (n == list->limit) {
            list->next = last;
            sqlite_reset(s, get);
            return 0;
        }
        rc = notice_at(s, get, &row);
        if (rc < 0) {
            sqlite_reset(s, get);
            return rc;
        }
        last = row.number;
        list->each(list, &row);
    }
    return rc;
}

int
sqlite_settle_notice(struct sqlite_store *s, struct store_op *op)
{
    const struct store_settle_notice *settle =
        container_of(op, struct store_settle_notice, op);
    const enum sqlite_stmt set = STMT_NOTICE_SETTLE;

    op->result = 0;
    int rc = sqlite_group_begin(s);
    if (rc < 0)
        return rc;
    sqlite_key(s, set, 1, settle->number);
    sqlite_int(s, set, 2, settle->waits);
    sqlite_int(s, set, 3, settle->tries);
    sqlite_int(s, set, 4, settle->due_ms);
    s->group.rows++;
    return sqlite_run(s, set);
}

int
sqlite_backlogs(struct sqlite_store *s, struct store_op *op)
{
    struct store_backlogs *list = container_of(op, struct store_backlogs, op);
    size_t at = 0;

    op->result = 0;
    for (const struct sqlite_webhook *w; (w = map_next(&s->webhooks, &at)) != NULL;)
        if (!w->deleted && (uint64_t)w->calls[CALL_WAITING] >= list->least)
            list->each(list, w->number, (uint64_t)w->calls[CALL_WAITING]);
    return 0;
}
