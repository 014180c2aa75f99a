#include "store/store.h"

static char
lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

bool
store_text_has(struct slice text, struct slice part)
{
    for (size_t at = 0; at + part.n <= text.n; at++) {
        size_t n = 0;
        while (n < part.n && lower(text.p[at + n]) == lower(part.p[n]))
            n++;
        if (n == part.n)
            return true;
    }
    return false;
}

bool
store_needs_room(struct store_op *op)
{
    switch (op->kind) {
    case STORE_APPEND:
    case STORE_RETRY:
    case STORE_PUT_KEY:
    case STORE_TOUCH:
    case STORE_PUT_NOTIFICATION:
    case STORE_PUT_JOB:
    case STORE_STEP_JOBS:
        return true;
    case STORE_PUT_CHANNEL:
        return !container_of(op, struct store_put_channel, op)->channel->deleted;
    case STORE_PUT_WEBHOOK: {
        const struct webhook *webhook =
            container_of(op, struct store_put_webhook, op)->webhook;
        return !webhook->deleted && (webhook->enabled || webhook->number == 0);
    }
    case STORE_SETTLE:
    case STORE_DROP_KEY:
    case STORE_DUE:
    case STORE_EVENTS:
    case STORE_EVENT:
    case STORE_CALLS:
    case STORE_CALL:
    case STORE_COUNTS:
    case STORE_SUBSCRIPTIONS:
    case STORE_SUBSCRIPTION_COUNT:
    case STORE_NOTIFICATIONS:
    case STORE_FEED:
    case STORE_CANCEL:
    case STORE_STEER_JOB:
    case STORE_JOBS:
    case STORE_PUT_NOTICE:
    case STORE_NOTICES:
    case STORE_SETTLE_NOTICE:
    case STORE_BACKLOGS:
    case STORE_BACKUP: /* looks for itself */
    case STORE_STATS:
    case STORE_WEBHOOK_STATS:
    case STORE_KINDS:
        break;
    }
    return false;
}
