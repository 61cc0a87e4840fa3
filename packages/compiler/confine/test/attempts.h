/* What confined code must not be able to do, tried. */
#ifndef FARJIT_ATTEMPTS_H
#define FARJIT_ATTEMPTS_H

#include <stddef.h>

/* Makes each attempt and writes a line about it, `name: done` or `name: EPERM`; answers the length. */
size_t farjit_attempt_all(char *text, size_t text_bytes);

#endif
