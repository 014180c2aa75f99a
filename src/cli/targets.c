#include "cli/targets.h"

#include <stdio.h>
#include <stdlib.h>

#include "send/resolve.h"

/* Each text that was given of a list. */
static int
read_all(struct guard *guard, const struct options *options, enum option_id id,
         int (*read)(struct guard *guard, const char *text, struct err *err),
         struct err *err)
{
    const struct option_value *value = &options->values[id];

    for (size_t i = 0; i < value->n; i++) {
        int rc = read(guard, value->texts[i], err);
        if (rc != 0)
            return err_wrap(err, "--%s %s", option_table[id].name, value->texts[i]);
    }
    return 0;
}

int
targets_dns(const struct options *options, char out[TARGETS_DNS_MAX], struct err *err)
{
    const struct option_value *value = &options->values[OPTION_DNS];
    size_t n = 0;

    out[0] = '\0';
    for (size_t i = 0; i < value->n; i++) {
        int more = snprintf(out + n, TARGETS_DNS_MAX - n, "%s%s", i ? "," : "",
                            value->texts[i]);
        if (more < 0 || (size_t)more >= TARGETS_DNS_MAX - n)
            return err_set(err, E_INVALID, "--dns: too many servers");
        n += (size_t)more;
    }
    int rc = n > 0 ? resolver_servers_check(out, err) : 0;
    return rc == 0 ? 0 : err_wrap(err, "--dns %s", out);
}

uint16_t
targets_port(const char *address)
{
    return (uint16_t)strtoul(strrchr(address, ':') + 1, NULL, 10);
}

int
targets_read(struct guard *guard, const struct options *options, struct err *err)
{
    const char *listen = option_text(options, OPTION_LISTEN);
    const char *ports = option_text(options, OPTION_PORTS);

    guard_init(guard);
    guard->development = option_on(options, OPTION_DEV);
    guard->http = option_on(options, OPTION_ALLOW_HTTP);
    guard->nat64 = option_on(options, OPTION_NAT64);
    guard->metadata = option_on(options, OPTION_ALLOW_METADATA);
    guard_own_port(guard, targets_port(listen));
    int rc = guard_set_ports(guard, ports, err);
    if (rc != 0)
        return err_wrap(err, "--ports %s", ports);
    rc = read_all(guard, options, OPTION_ALLOW, guard_allow, err);
    if (rc == 0)
        rc = read_all(guard, options, OPTION_DENY, guard_deny, err);
    return rc == 0 ? guard_read_own(guard, err) : rc;
}
