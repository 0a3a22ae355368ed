/* help.h: the table of verbs as text for people, 80 columns, examples first. */
#ifndef SLUICE_APP_HELP_H
#define SLUICE_APP_HELP_H

#include "cli.h"

#include <stdio.h>

void help_program(FILE *to);
void help_group(FILE *to, const char *group); /* "keys" */
void help_verb(const struct verb *v);         /* on stdout */

#endif
