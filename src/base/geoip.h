/* The country of an address, from a database file in MaxMind's format. */
#pragma once

#include <sys/socket.h>

#include "base/err.h"
#include "base/types.h"

struct geoip;

/* E_INVALID, with a sentence that names the file, if this is no such database. The file
 * is mapped, not read: replace it by a rename, never by writing over it. */
int geoip_open(struct geoip **out, const char *path, struct err *err) must_check;
void geoip_close(struct geoip *geoip);

/* The ISO 3166-1 alpha-2 code in capitals, where the address is or else where it is
 * registered; false if the database does not say. Any thread. */
bool geoip_country(const struct geoip *geoip, const struct sockaddr *sa, char out[3]);
