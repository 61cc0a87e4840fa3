/* The seccomp filter: a short list of system calls, everything else fails with EPERM. */
#include "runner.h"

#include <errno.h>
#include <linux/sched.h>
#include <seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

struct allowed {
	int number;
	const char *name;
	const char *reason;
	/* The arguments it is allowed with, in words; NULL for any. */
	const char *condition;
	struct scmp_arg_cmp arguments[2];
	unsigned argument_count;
};

#define NAMED(call) .number = SCMP_SYS(call), .name = #call
#define ALLOW(call, why) {NAMED(call), .reason = (why)}

/* Memory without rights to execute, threads, time, and I/O on descriptors that are open already. None makes a
 * descriptor, names a file or reaches another process. */
static const struct allowed allowed[] = {
	ALLOW(brk, "malloc grows its heap"),
	ALLOW(madvise, "malloc and threads give pages back"),
	ALLOW(mremap, "realloc of large blocks"),
	ALLOW(munmap, "free of large blocks, the end of a thread"),
	ALLOW(membarrier, "code published where other code was is seen by all threads"),
	ALLOW(exit, "the end of a thread"),
	ALLOW(exit_group, "exit, and the end of the runner"),
	ALLOW(futex, "locks, waiting for the host"),
	ALLOW(gettid, "threads name themselves"),
	ALLOW(rseq, "glibc aborts a new thread without it"),
	ALLOW(sched_getaffinity, "attributes of a thread"),
	ALLOW(sched_yield, "spin locks"),
	ALLOW(set_robust_list, "glibc registers each thread"),
	ALLOW(pause, "a thread that waits for another to end the process"),
	ALLOW(restart_syscall, "the kernel restarts sleeps with it"),
	ALLOW(rt_sigaction, "signal handlers of its own"),
	ALLOW(rt_sigpending, "signals to itself"),
	ALLOW(rt_sigprocmask, "threads and abort block signals"),
	ALLOW(rt_sigreturn, "the end of every signal handler"),
	ALLOW(rt_sigsuspend, "signals to itself"),
	ALLOW(rt_sigtimedwait, "signals to itself"),
	ALLOW(sigaltstack, "trap handlers run on a stack of their own"),
	ALLOW(close, "fclose"),
	ALLOW(fstat, "stdio asks what it writes to"),
	ALLOW(lseek, "stdio asks where it is"),
	ALLOW(poll, "waiting for the doorbell, and for output that is held back"),
	ALLOW(ppoll, "the same, newer"),
	ALLOW(pselect6, "the same, portable"),
	ALLOW(read, "the doorbell, empty standard input"),
	ALLOW(readv, "the same"),
	ALLOW(select, "the same, older"),
	ALLOW(write, "output and the doorbell"),
	ALLOW(writev, "output"),
	ALLOW(clock_getres, "time"),
	ALLOW(clock_gettime, "time, where the vDSO cannot answer"),
	ALLOW(clock_nanosleep, "sleep"),
	ALLOW(gettimeofday, "time, where the vDSO cannot answer"),
	ALLOW(nanosleep, "sleep"),
	ALLOW(time, "time, where the vDSO cannot answer"),
	ALLOW(times, "CPU time it used"),
	ALLOW(getcpu, "where it runs"),
	ALLOW(getegid, "who it is"),
	ALLOW(geteuid, "who it is"),
	ALLOW(getgid, "who it is"),
	ALLOW(getpid, "raise and abort"),
	ALLOW(getppid, "who its host is"),
	ALLOW(getrandom, "random numbers without a file"),
	ALLOW(getrusage, "what it used"),
	ALLOW(getuid, "who it is"),
	ALLOW(uname, "what it runs on"),
};

/* What depends on arguments. `self` is the process id. */
static const struct allowed *conditional(uint64_t self, size_t *count)
{
	static struct allowed rules[8];
	const struct allowed all[] = {
		{NAMED(mmap), .reason = "memory; pkey_mprotect is not on the list at all", .condition = "without PROT_EXEC",
		 .arguments = {SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)}, .argument_count = 1},
		{NAMED(mprotect), .reason = "guards of stacks, heaps that grow", .condition = "without PROT_EXEC",
		 .arguments = {SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)}, .argument_count = 1},
		{NAMED(clone), .reason = "threads, not processes", .condition = "with CLONE_THREAD",
		 .arguments = {SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD)}, .argument_count = 1},
		{NAMED(tgkill), .reason = "raise and abort", .condition = "to its own process",
		 .arguments = {SCMP_A0(SCMP_CMP_EQ, self)}, .argument_count = 1},
		{NAMED(kill), .reason = "signals to itself", .condition = "to its own process",
		 .arguments = {SCMP_A0(SCMP_CMP_EQ, self)}, .argument_count = 1},
		{NAMED(prlimit64), .reason = "reading its own limits", .condition = "of itself, without new values",
		 .arguments = {SCMP_A0(SCMP_CMP_EQ, 0), SCMP_A2(SCMP_CMP_EQ, 0)}, .argument_count = 2},
		{NAMED(prctl), .reason = "names of threads", .condition = "PR_SET_NAME",
		 .arguments = {SCMP_A0(SCMP_CMP_EQ, PR_SET_NAME)}, .argument_count = 1},
		{NAMED(prctl), .reason = "names of threads", .condition = "PR_GET_NAME",
		 .arguments = {SCMP_A0(SCMP_CMP_EQ, PR_GET_NAME)}, .argument_count = 1},
	};
	_Static_assert(sizeof all == sizeof rules, "all of them");
	memcpy(rules, all, sizeof all);
	*count = sizeof all / sizeof all[0];
	return rules;
}

static void check(int error, const char *what)
{
	if (error < 0)
		farjit_fault("seccomp: %s failed: %s", what, strerror(-error));
}

static void add(scmp_filter_ctx filter, const struct allowed *rules, size_t count)
{
	for (size_t i = 0; i < count; i++)
		check(seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, rules[i].number, rules[i].argument_count,
					     rules[i].arguments),
		      rules[i].name);
}

void farjit_load_filter(void)
{
	size_t count;
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	if (!filter)
		farjit_fault("seccomp: no memory for a filter");
	/* The default kills one thread and leaves the process hanging. */
	check(seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS), "foreign architectures");
	/* A binary search instead of a list: futex and write are on every callback's way. */
	check(seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2), "optimize");
	add(filter, allowed, sizeof allowed / sizeof allowed[0]);
	const struct allowed *rules = conditional((uint64_t)getpid(), &count);
	add(filter, rules, count);
	/* It hides its flags behind a pointer: glibc falls back to clone on ENOSYS. */
	check(seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0), "clone3");
	check(seccomp_load(filter), "load");
	seccomp_release(filter);
}

static void print(const struct allowed *rules, size_t count, bool last)
{
	for (size_t i = 0; i < count; i++)
		printf("  {\"name\": \"%s\", \"condition\": \"%s\", \"reason\": \"%s\"}%s\n", rules[i].name,
		       rules[i].condition ? rules[i].condition : "", rules[i].reason, last && i + 1 == count ? "" : ",");
}

void farjit_print_system_calls(void)
{
	size_t count;
	const struct allowed *rules = conditional(0, &count);
	puts("[");
	print(allowed, sizeof allowed / sizeof allowed[0], false);
	print(rules, count, true);
	puts("]");
}
