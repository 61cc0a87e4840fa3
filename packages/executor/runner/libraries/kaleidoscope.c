/* What Kaleidoscope's front end asks for: the two functions that its programs expect to find. */
#include "libraries.h"

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

static double putchard(double character)
{
	/* The low byte of its whole part. Of what no int holds there is none: C leaves such a conversion undefined. */
	bool is_int = character > (double)INT_MIN - 1 && character < (double)INT_MAX + 1;
	putchar(is_int ? (unsigned char)(int)character : 0);
	return 0;
}

static double printd(double value)
{
	printf("%f\n", value);
	return 0;
}

const struct farjit_symbol farjit_kaleidoscope_symbols[] = {
	FARJIT_SYMBOL("putchard", putchard),
	FARJIT_SYMBOL("printd", printd),
	{NULL, NULL},
};
