/* Between the files of this folder that know OpenSSL's libcrypto: crypto*.c. */
#pragma once

#include "base/types.h"

/* For what fails only without memory or without libcrypto's default provider: stops
 * the program, since nothing works then. */
void crypto_must(bool ok, const char *what);
