/*
 * Switches that break the program on purpose: a test that shows that nothing is lost
 * has to be seen to fail on a program that loses. They exist only in a build with
 * -Dfaults=true; any other build has no trace of them.
 */
#pragma once

#include <stdbool.h>

#ifdef PUSHWIRE_FAULTS
/* Whether the switch is among the words of PUSHWIRE_FAULT, which have commas between
 * them. Any thread. A word there that is no switch ends the program: a control run that
 * breaks nothing would prove nothing. */
bool fault_on(const char *name);
#else
static inline bool
fault_on(const char *name)
{
    (void)name;
    return false;
}
#endif
