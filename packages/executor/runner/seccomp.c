/* The seccomp filter: the list of system_calls.c, everything else fails with EPERM. */
#include "runner.h"

#include "system_calls.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* The first of libseccomp's levels of what kernels can do at which a filter kills whole processes. */
enum { KILLS_PROCESSES = 3 };

static void check(int error, const char *what)
{
	if (error < 0)
		farjit_fault("seccomp: %s failed: %s", what, strerror(-error));
}

static void add(scmp_filter_ctx filter, const struct farjit_system_call *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		uint32_t action = rows[i].error ? SCMP_ACT_ERRNO((uint32_t)rows[i].error) : SCMP_ACT_ALLOW;
		check(seccomp_rule_add_array(filter, action, rows[i].number, rows[i].argument_count, rows[i].arguments),
		      rows[i].name);
	}
}

void farjit_load_filter(bool has_files)
{
	struct farjit_system_call own[FARJIT_OWN_SYSTEM_CALLS];
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	if (!filter)
		farjit_fault("seccomp: no memory for a filter");
	if (seccomp_api_get() < KILLS_PROCESSES)
		farjit_fault("seccomp: this kernel has no filter that can kill a process");
	/* The default kills one thread and leaves the process hanging. */
	check(seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS), "foreign architectures");
	/* A binary search instead of a list: futex and write are on every callback's way. */
	check(seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2), "optimize");
	add(filter, farjit_system_calls, farjit_system_call_count);
	farjit_own_system_calls(getpid(), own);
	add(filter, own, FARJIT_OWN_SYSTEM_CALLS);
	if (has_files)
		add(filter, farjit_file_system_calls, farjit_file_system_call_count);
	check(seccomp_load(filter), "load");
	seccomp_release(filter);
}

static void print(const struct farjit_system_call *rows, size_t count, const char *given, bool last)
{
	for (size_t i = 0; i < count; i++)
		printf("  {\"name\": \"%s\", \"condition\": \"%s\", \"error\": \"%s\", \"reason\": \"%s\", \"given\": \"%s\"}%s\n", rows[i].name,
		       rows[i].condition ? rows[i].condition : "", rows[i].error ? strerrorname_np(rows[i].error) : "",
		       rows[i].reason, given, last && i + 1 == count ? "" : ",");
}

void farjit_print_system_calls(void)
{
	struct farjit_system_call own[FARJIT_OWN_SYSTEM_CALLS];
	puts("[");
	print(farjit_system_calls, farjit_system_call_count, "", false);
	farjit_own_system_calls(getpid(), own);
	print(own, FARJIT_OWN_SYSTEM_CALLS, "", false);
	print(farjit_file_system_calls, farjit_file_system_call_count, "files", true);
	puts("]");
}
