/* What every target defines, by the name that libFuzzer calls. A target asserts what
 * must hold for any input; that it does not crash is only the least of it. */
#pragma once

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);
