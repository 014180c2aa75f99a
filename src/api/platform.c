/* The routes of the push platform: what SDKs call, without a key, and what the
 * customer's programs call, with the raw key in Authorization. */
#include "api/resources.h"
#include "api/router.h"

#define SUBSCRIPTION "/subscription"
#define CHANGE(path, kind)                                                             \
    {                                                                                  \
        "POST", path, ROUTE_PUBLIC, MAY_READ, ROUTE_SDK, QUERY_FREE, sdk_change, kind  \
    }
#define QUIET(path, answer)                                                            \
    {                                                                                  \
        "POST", path, ROUTE_PUBLIC, MAY_READ, ROUTE_SDK, QUERY_FREE, sdk_quiet, answer \
    }
#define LOOK(path, answer)                                                             \
    {                                                                                  \
        "GET", path, ROUTE_PUBLIC, MAY_READ, ROUTE_NO_BODY, QUERY_FREE, sdk_quiet,     \
            answer                                                                     \
    }
#define CUSTOMER(path, handle)                                                         \
    {                                                                                  \
        "GET", path, ROUTE_KEYED, MAY_READ, ROUTE_NO_BODY, QUERY_FREE, handle, 0       \
    }

static const struct route routes[] = {
    /* first what comes most often */
    CHANGE("/notification/delivered", CHANGE_DELIVERED),
    CHANGE("/subscription/sync/{c}", CHANGE_SYNC),
    CHANGE("/notification/clicked", CHANGE_CLICKED),
    QUIET("/subscription/session/start", SDK_NOTHING),
    QUIET("/subscription/session/end", SDK_NOTHING),
    {"GET", "/channel/{c}/config", ROUTE_PUBLIC, MAY_READ, ROUTE_NO_BODY, QUERY_FREE,
     sdk_config, 0},
    {"GET", "/channel-config", ROUTE_PUBLIC, MAY_READ, ROUTE_NO_BODY, QUERY_FREE,
     sdk_config, 0},

    CHANGE("/subscription/unsubscribe", CHANGE_OPT_OUT),
    CHANGE("/subscription/topic/add", CHANGE_TOPIC_ADD),
    CHANGE("/subscription/topic/remove", CHANGE_TOPIC_REMOVE),
    CHANGE("/subscription/tag", CHANGE_TAG_ADD),
    CHANGE("/subscription/untag", CHANGE_TAG_REMOVE),
    CHANGE("/subscription/attribute", CHANGE_ATTRIBUTE_SET),
    CHANGE("/subscription/attribute/push-value", CHANGE_ATTRIBUTE_PUSH),
    CHANGE("/subscription/attribute/pull-value", CHANGE_ATTRIBUTE_PULL),
    CHANGE("/subscription/attribute/clear", CHANGE_ATTRIBUTE_CLEAR),

    QUIET("/subscription/session/impression", SDK_NOTHING),
    QUIET("/subscription/unsubscribe/feedback", SDK_NOTHING),
    QUIET("/subscription/conversion", SDK_NOTHING),
    QUIET("/subscription/event", SDK_NOTHING),
    QUIET("/subscription/stop-campaigns", SDK_NOTHING),
    QUIET("/subscription/mark-as-test", SDK_NOTHING),
    QUIET("/subscription/geo-fence", SDK_NOTHING),
    QUIET("/notification/bounced", SDK_NOTHING),
    QUIET("/channel/confirm-alert", SDK_NOTHING),
    QUIET("/channel/optin-visitor", SDK_NOTHING),
    QUIET("/channel/blocked-optin-request", SDK_NOTHING),
    QUIET("/channel/{c}/panel/{type}", SDK_NOTHING),
    QUIET("/channel/{c}/widget/{type}", SDK_NOTHING),
    QUIET("/channel/{c}/wallet-pass/{id}/subscribe", SDK_NOTHING),
    QUIET("/app-banner/event/{event}", SDK_NOTHING),
    QUIET("/story-widget/{id}/track-opened", SDK_NOTHING),
    QUIET("/story-widget/{id}/track-shown", SDK_NOTHING),
    LOOK("/channel/{c}/received-notifications", SDK_NOTIFICATIONS),
    LOOK("/channel/{c}/app-banners", SDK_BANNERS),
    LOOK("/channel/{c}/panel/{type}", SDK_NOTHING),
    LOOK("/channel/{c}/widget/{type}", SDK_NOTHING),
    LOOK("/story-widget/{id}/config", SDK_NOTHING),

    {"GET", "/channels", ROUTE_NARROW, MAY_READ, ROUTE_NO_BODY, QUERY_FREE,
     customer_channels, 0},
    {"GET", "/subscription", ROUTE_NARROW, MAY_READ, ROUTE_NO_BODY, QUERY_FREE,
     customer_find_subscription, 0},
    CUSTOMER("/channel/{c}/subscriptions", customer_subscriptions),
    CUSTOMER("/channel/{c}/subscription-count", customer_subscription_count),
    CUSTOMER("/channel/{c}/topics", customer_topics),
    CUSTOMER("/channel/{c}/tags", customer_tags),
    CUSTOMER("/channel/{c}/notifications", customer_notifications),
    CUSTOMER("/channel/{c}/notification/{id}", customer_notification),
    CUSTOMER("/channel/{c}/notification/{id}/statistics", customer_statistics),
    {"POST", "/notification/send", ROUTE_NARROW, MAY_READ, ROUTE_SDK, QUERY_FREE,
     customer_send, 0},
};

const struct routes platform_routes = {routes, ARRAY_LEN(routes)};
