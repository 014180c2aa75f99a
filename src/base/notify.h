/* What a service manager is told: the protocol of systemd's sd_notify(3). Without one
 * all of it does nothing. */
#pragma once

#include "base/err.h"

/* Finds who wants to know (NOTIFY_SOCKET) and how often (WATCHDOG_USEC, WATCHDOG_PID).
 * Before the sandbox closes. */
int notify_open(struct err *err) must_check;
/* Lines NAME=VALUE. Whether they arrive is the manager's business. */
void notify_send(const char *lines);
/* Seconds within which it wants to hear WATCHDOG=1; 0 = never. */
unsigned notify_watchdog_s(void);
