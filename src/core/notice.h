/*
 * Notices: what the server tells those who run it. One row each, kept for a while, and
 * sent to a URL of theirs as a Standard Webhook: {"type", "timestamp", "data"}.
 */
#pragma once

#include "base/buf.h"
#include "base/ids.h"
#include "base/json_out.h"
#include "base/types.h"

enum notice_kind {
    NOTICE_WEBHOOK_DISABLED, /* by the server, not by a person */
    NOTICE_CALL_EXHAUSTED,   /* all its attempts are used */
    NOTICE_BACKLOG_HIGH,     /* so many calls of one webhook wait */
    NOTICE_BACKLOG_CLEARED,
    NOTICE_OLDEST_DUE_HIGH, /* a call has been due for so long */
    NOTICE_OLDEST_DUE_CLEARED,
    NOTICE_DISK_LOW,
    NOTICE_DISK_CLEARED,
    NOTICE_TRIAL_ENDED,
    NOTICE_KINDS
};

const char *notice_kind_name(enum notice_kind kind); /* "webhookDisabled" … */

struct notice_row {
    uint64_t number; /* as an event's key: holds its time, and grows */
    enum notice_kind kind;
    uint64_t channel;        /* 0 = it is about the server */
    struct slice channel_id; /* n 0 likewise */
    uint64_t webhook;        /* 0 = about none */
    struct slice text;       /* a sentence */
    struct slice data;       /* further JSON members, without braces; n 0 = none */
    bool waits;              /* to be sent */
    uint32_t tries;
    msec_t due_ms; /* steady; when it waits */
};

/* Its members: _id, at, kind, channel, webhook, text, data. */
void notice_write(struct json_out *json, const struct notice_row *row);
/* What is sent: the same bytes each time. */
void notice_write_body(struct buf *out, const struct notice_row *row);
