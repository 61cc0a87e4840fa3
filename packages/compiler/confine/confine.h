/*
 * What a process gives up before it looks at text that nobody vouches for: files, the network, other processes, new
 * privileges and most system calls. The code generator calls it for itself; `farjit-confine` does it for another
 * program. It is not what confines JIT'd code, which needs more and is given it by the runner.
 */
#ifndef FARJIT_CONFINE_H
#define FARJIT_CONFINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What the filter of system calls lets through. */
enum farjit_activity {
	/* Reads standard input, computes, writes standard output and error. One thread, and no file. */
	FARJIT_ACTIVITY_COMPUTE,
	/* Runs one program that opens the files it may, with threads. */
	FARJIT_ACTIVITY_TOOL,
	/* The same, and the program may start others. */
	FARJIT_ACTIVITY_TOOLS,
};

enum farjit_confined {
	FARJIT_CONFINED_NO_NEW_PRIVS = 1 << 0,
	FARJIT_CONFINED_SECCOMP = 1 << 1,
	/* No process of the same user looks into it. A program that is started later is dumpable again. */
	FARJIT_CONFINED_UNDUMPABLE = 1 << 2,
	FARJIT_CONFINED_LANDLOCK = 1 << 3,
	FARJIT_CONFINED_CAPABILITIES = 1 << 4,
	/* Users, network and IPC. */
	FARJIT_CONFINED_NAMESPACES = 1 << 5,
};

/* FARJIT_UNLIMITED leaves a limit as it is; a limit is never raised. */
#define FARJIT_UNLIMITED UINT64_MAX

struct farjit_limits {
	uint64_t address_space_bytes;
	uint64_t data_bytes; /* private memory that can be written */
	uint64_t cpu_seconds;
	uint64_t file_bytes; /* of each file that is written */
	uint64_t descriptors;
	uint64_t processes; /* and threads, of this user; in namespaces of its own, of this program */
};

struct farjit_confinement {
	enum farjit_activity activity;
	/* Files and directories with all below, to read and execute; ended by NULL. Nothing else can be opened. */
	const char *const *read_only;
	/* Files and directories with all below, to read, write, make and remove; ended by NULL. */
	const char *const *writable;
	struct farjit_limits limits;
	/* Asks for namespaces of its own: they take about a millisecond. */
	bool wants_namespaces;
};

struct farjit_confinement_result {
	uint32_t confined; /* bits of enum farjit_confined */
	unsigned landlock_version;
	/* `landlock (Function not implemented), ...`: what was asked for and the kernel has not got. */
	char missing[512];
};

/*
 * Confines the calling process, which has one thread. What the kernel has not got is left out and named in the result;
 * without the rest the answer is false, `missing` says why, and the process must not go on: it is confined in part.
 */
bool farjit_confine(const struct farjit_confinement *wanted, struct farjit_confinement_result *result);

/* Prints a result as one line of JSON. */
void farjit_print_confinement(const struct farjit_confinement_result *result);

/* What the parts of a confinement use; `name (reason)` is added to what is missing. */
void farjit_note_missing(struct farjit_confinement_result *result, const char *name, int error);

/* landlock.c. False: a path cannot be opened, and `missing` says which. */
bool farjit_restrict_paths(const struct farjit_confinement *wanted, struct farjit_confinement_result *result);
/* filter.c. False: the kernel has filters and refused this one. Afterwards a process does what its activity is. */
bool farjit_filter_system_calls(enum farjit_activity activity, struct farjit_confinement_result *result);
/* Prints what the filter of an activity lets through, as JSON. */
void farjit_print_system_calls(enum farjit_activity activity);

#endif
