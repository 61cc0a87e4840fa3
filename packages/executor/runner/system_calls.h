/* What the filter lets through: one row a system call, or one for each value of an argument that decides. */
#ifndef FARJIT_SYSTEM_CALLS_H
#define FARJIT_SYSTEM_CALLS_H

#include <seccomp.h>
#include <stddef.h>
#include <sys/types.h>

struct farjit_system_call {
	int number;
	const char *name;
	/* What it is needed for. */
	const char *reason;
	/* The arguments the row is about, in words; NULL for any. */
	const char *condition;
	struct scmp_arg_cmp arguments[3];
	unsigned argument_count;
	/* The errno it fails with instead of being let through; 0 for what is let through. */
	int error;
};

/* Rows that need no knowledge of the process. */
extern const struct farjit_system_call farjit_system_calls[];
extern const size_t farjit_system_call_count;

/* Rows for a runner that is given files, beside all others. */
extern const struct farjit_system_call farjit_file_system_calls[];
extern const size_t farjit_file_system_call_count;

enum { FARJIT_OWN_SYSTEM_CALLS = 4 };
/* Rows about the process `self`. */
void farjit_own_system_calls(pid_t self, struct farjit_system_call rows[FARJIT_OWN_SYSTEM_CALLS]);

#endif
