/* What is read back from the store, as text in a row: a channel's settings, and a
 * subscription's members. The first byte says which. What is taken is written again the
 * same. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "core/channel.h"
#include "core/subscription.h"
#include "fuzz.h"

#define ROOM (2 * CHANNEL_SETTINGS_MAX)

static void
check_settings(struct slice text)
{
    struct channel *first = channel_new(), *second = channel_new();
    struct buf written, again;

    buf_init(&written, ROOM);
    buf_init(&again, ROOM);
    if (settings_read(&first->settings, text) &&
        settings_write(&written, &first->settings) == 0) {
        bool ok = settings_read(&second->settings, buf_slice(&written));
        assert(ok);
        int rc = settings_write(&again, &second->settings);
        assert(rc == 0 && slice_eq(buf_slice(&written), buf_slice(&again)));
        channel_write_config(&again, second);
    }
    buf_fini(&written);
    buf_fini(&again);
    channel_unref(first);
    channel_unref(second);
}

static void
check_subscription(struct slice members)
{
    struct subscription subscription;
    struct subscription_row written = {0};
    struct subscription_row row = {
        .number = 1, .channel = 1, .id = SLICE("s"), .members = members};
    struct json_doc doc;
    struct buf buf;

    json_init(&doc);
    buf_init(&buf, SUBSCRIPTION_ROOM_MAX);
    if (subscription_read(&subscription, &doc, &row)) {
        int rc = subscription_write(&written, &buf, &subscription);
        (void)rc; /* what is larger than may be stored is refused */
    }
    buf_fini(&buf);
    json_fini(&doc);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    if (n == 0)
        return 0;
    struct slice text = {(const char *)bytes + 1, n - 1};
    if (bytes[0] == 'c')
        check_settings(text);
    else
        check_subscription(text);
    return 0;
}
