/* Subscriptions and notifications: lists, single ones, and what a deleted channel
 * leaves.
 */
#include "store/sqlite_private.h"

/* ---- rows ---- */

struct subscription_row
sqlite_subscription_at(struct sqlite_store *s, enum sqlite_stmt stmt)
{
    return (struct subscription_row){
        .number = sqlite_col_key(s, stmt, 0),
        .channel = sqlite_col_key(s, stmt, 1),
        .id = sqlite_col_bytes(s, stmt, 2),
        .created_ms = sqlite_col(s, stmt, 3),
        .synced_ms = sqlite_col(s, stmt, 4),
        .inactive = sqlite_col(s, stmt, 5) != 0,
        .token = sqlite_col_key(s, stmt, 6),
        .members = sqlite_col_bytes(s, stmt, 7),
    };
}

struct notification_row
sqlite_notification_at(struct sqlite_store *s, enum sqlite_stmt stmt)
{
    return (struct notification_row){
        .number = sqlite_col_key(s, stmt, 0),
        .channel = sqlite_col_key(s, stmt, 1),
        .id = sqlite_col_bytes(s, stmt, 2),
        .created_ms = sqlite_col(s, stmt, 3),
        .feed_guid = sqlite_col_bytes(s, stmt, 4),
        .body = sqlite_col_bytes(s, stmt, 5),
        .delivered = sqlite_col_key(s, stmt, 6),
        .clicked = sqlite_col_key(s, stmt, 7),
    };
}

/* ---- notifications ---- */

static int
notification_write(struct sqlite_store *s, enum sqlite_stmt stmt,
                   const struct notification_row *row)
{
    sqlite_key(s, stmt, 1, stmt == STMT_NOTIFICATION_ADD ? row->channel : row->number);
    sqlite_text(s, stmt, 2, row->feed_guid);
    sqlite_text(s, stmt, 3, row->body);
    if (stmt == STMT_NOTIFICATION_ADD) {
        sqlite_text(s, stmt, 4, row->id);
        sqlite_int(s, stmt, 5, row->created_ms);
    }
    s->group.rows++;
    s->group.bytes += row->body.n + row->feed_guid.n;
    return sqlite_run(s, stmt);
}

int
sqlite_put_notification(struct sqlite_store *s, struct store_op *op)
{
    struct store_put_notification *put =
        container_of(op, struct store_put_notification, op);
    const enum sqlite_stmt get = STMT_NOTIFICATION_BY_ID;
    struct notification_row *row = put->row;

    op->result = 0;
    if (!sqlite_live_channel(s, row->channel))
        return sqlite_refuse(op, E_NOT_FOUND, "no such channel");
    sqlite_text(s, get, 1, row->id);
    sqlite_key(s, get, 2, row->channel);
    int known = sqlite_next(s, get);
    if (known < 0)
        return known;
    put->known = known;
    row->number = 0;
    row->delivered = row->clicked = 0;
    if (known) {
        struct notification_row was = sqlite_notification_at(s, get);
        row->number = was.number;
        row->created_ms = was.created_ms;
        row->delivered = was.delivered;
        row->clicked = was.clicked;
        sqlite_reset(s, get);
    }
    int rc = sqlite_group_begin(s);
    if (rc == 0)
        rc = notification_write(
            s, known ? STMT_NOTIFICATION_SET : STMT_NOTIFICATION_ADD, row);
    if (rc == 0 && !known)
        row->number = (uint64_t)sqlite3_last_insert_rowid(s->db);
    return rc;
}

static int
one_notification(struct sqlite_store *s, struct store_notifications *list)
{
    const enum sqlite_stmt get = STMT_NOTIFICATION_BY_ID;
    sqlite_text(s, get, 1, list->id);
    sqlite_key(s, get, 2, list->channel);
    int rc = sqlite_next(s, get);
    if (rc == 0)
        return sqlite_refuse(&list->op, E_NOT_FOUND, "no such notification");
    if (rc < 0)
        return rc;
    struct notification_row row = sqlite_notification_at(s, get);
    list->each(list, &row);
    sqlite_reset(s, get);
    return 0;
}

int
sqlite_notifications(struct sqlite_store *s, struct store_op *op)
{
    struct store_notifications *list = container_of(op, struct store_notifications, op);
    const enum sqlite_stmt get = STMT_NOTIFICATION_LIST;
    uint64_t last = 0;
    int rc = 0;

    op->result = 0;
    list->next = 0;
    if (!sqlite_live_channel(s, list->channel))
        return sqlite_refuse(op, E_NOT_FOUND, "no such channel");
    if (list->id.n)
        return one_notification(s, list);
    sqlite_key(s, get, 1, list->channel);
    sqlite_key(s, get, 2, list->before);
    for (size_t n = 0; (rc = sqlite_next(s, get)) == 1; n++) {
        if (n == list->limit) {
            list->next = last;
            sqlite_reset(s, get);
            return 0;
        }
        struct notification_row row = sqlite_notification_at(s, get);
        last = row.number;
        list->each(list, &row);
    }
    return rc;
}

/* ---- lists of subscriptions ---- */

/* Where the list goes on: `after`, or behind the one with after_id. 1 = found. */
static int
find_after(struct sqlite_store *s, const struct store_subscriptions *list,
           uint64_t *after)
{
    const enum sqlite_stmt get = STMT_SUBSCRIPTION_BY_ID;

    *after = list->after;
    if (!list->after_id.n)
        return 1;
    sqlite_text(s, get, 1, list->after_id);
    sqlite_key(s, get, 2, list->channel);
    int rc = sqlite_next(s, get);
    if (rc == 1) {
        *after = sqlite_col_key(s, get, 0);
        sqlite_reset(s, get);
    }
    return rc;
}

static int
one_subscription(struct sqlite_store *s, struct store_subscriptions *list)
{
    const enum sqlite_stmt get = STMT_SUBSCRIPTION_BY_ID;
    sqlite_text(s, get, 1, list->id);
    sqlite_key(s, get, 2, list->channel);
    int rc = sqlite_next(s, get);
    if (rc == 0)
        return sqlite_refuse(&list->op, E_NOT_FOUND, "no such subscription");
    if (rc < 0)
        return rc;
    struct subscription_row row = sqlite_subscription_at(s, get);
    (void)list->each(list, &row);
    sqlite_reset(s, get);
    return 0;
}

static int
walk_subscriptions(struct sqlite_store *s, struct store_subscriptions *list,
                   uint64_t after)
{
    const enum sqlite_stmt get =
        list->name.n ? STMT_SUBSCRIPTION_WITH : STMT_SUBSCRIPTION_LIST;
    int rc;

    sqlite_key(s, get, 1, list->channel);
    sqlite_key(s, get, 2, after);
    if (list->name.n) {
        sqlite_text(s, get, 3, list->name);
        sqlite_text(s, get, 4, list->values[0]);
        sqlite_text(s, get, 5, list->values[1]);
        /* One more than is shown: whether something follows. */
        sqlite_key(s, get, 6,
                   list->max_rows < INT32_MAX ? list->max_rows + 1 : INT32_MAX);
    }
    for (size_t n = 0; (rc = sqlite_next(s, get)) == 1; n++) {
        if (n == list->max_rows) {
            list->next = after;
            break;
        }
        struct subscription_row row = sqlite_subscription_at(s, get);
        after = row.number;
        if (!list->each(list, &row)) {
            list->next = after;
            break;
        }
    }
    if (rc == 1)
        sqlite_reset(s, get);
    return rc < 0 ? rc : 0;
}

int
sqlite_subscriptions(struct sqlite_store *s, struct store_op *op)
{
    struct store_subscriptions *list = container_of(op, struct store_subscriptions, op);
    uint64_t after;

    op->result = 0;
    list->next = 0;
    if (!sqlite_live_channel(s, list->channel))
        return sqlite_refuse(op, E_NOT_FOUND, "no such channel");
    if (list->id.n)
        return one_subscription(s, list);
    int rc = find_after(s, list, &after);
    if (rc == 0)
        return sqlite_refuse(op, E_NOT_FOUND, "no such subscription");
    return rc < 0 ? rc : walk_subscriptions(s, list, after);
}

int
sqlite_subscription_count(struct sqlite_store *s, struct store_op *op)
{
    struct store_subscription_count *count =
        container_of(op, struct store_subscription_count, op);
    const struct sqlite_channel *channel = sqlite_live_channel(s, count->channel);

    op->result = 0;
    if (!channel)
        return sqlite_refuse(op, E_NOT_FOUND, "no such channel");
    count->active = (uint64_t)channel->subscriptions[false];
    count->inactive = (uint64_t)channel->subscriptions[true];
    return 0;
}

/* ---- what a deleted channel leaves ---- */

int
sqlite_sweep_channel(struct sqlite_store *s, int limit)
{
    static const enum sqlite_stmt sweeps[] = {
        STMT_SUBSCRIPTION_SWEEP, STMT_ATTRIBUTE_SWEEP, STMT_NOTIFICATION_SWEEP};
    struct sqlite_channel *channel = s->unswept_channels;
    int left = limit;
    int rc = sqlite_group_begin(s);

    for (size_t i = 0; i < ARRAY_LEN(sweeps) && rc == 0 && left > 0; i++) {
        sqlite_key(s, sweeps[i], 1, channel->number);
        sqlite_int(s, sweeps[i], 2, left);
        rc = sqlite_run(s, sweeps[i]);
        left -= sqlite3_changes(s->db);
    }
    if (rc == 0 && left > 0)
        s->unswept_channels = channel->next_unswept;
    return rc;
}
