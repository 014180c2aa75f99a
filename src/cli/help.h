/* Help texts, made from the tables; at most 80 columns wide. */
#pragma once

#include <stdio.h>

#include "cli/command.h"

void help_program(FILE *out);
void help_group(FILE *out, const char *name);
void help_command(FILE *out, const struct command *command);
