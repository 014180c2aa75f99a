/* Where calls may go, as the options say: for serve and for check. */
#pragma once

#include "cli/options.h"
#include "send/guard.h"

/* Fills the guard; guard_fini it in any case. */
int targets_read(struct guard *guard, const struct options *options,
                 struct err *err) must_check;
#define TARGETS_DNS_MAX 512
/* The servers of --dns, with commas between; "" = the system's. */
int targets_dns(const struct options *options, char out[TARGETS_DNS_MAX],
                struct err *err) must_check;
/* The port of an address that has been checked. */
uint16_t targets_port(const char *address);
