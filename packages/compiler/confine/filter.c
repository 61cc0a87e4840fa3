/* The filter of system calls: a short list for each activity, everything else fails with EPERM. */
#include "confine.h"

#include <asm/termbits.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

struct rule {
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
#define ALLOW_IF(call, words, first, why)                                                                              \
	{NAMED(call), .reason = (why), .condition = (words), .arguments = {first}, .argument_count = 1}
#define ALLOW_IF_BOTH(call, words, first, second, why)                                                                 \
	{NAMED(call), .reason = (why), .condition = (words), .arguments = {first, second}, .argument_count = 2}
/* An argument has none of these bits. A flag that is an int is compared in the bits that the kernel looks at. */
#define WITHOUT(argument, bits) SCMP_CMP(argument, SCMP_CMP_MASKED_EQ, (bits), 0)
#define FUTEX(operation) SCMP_CMP(1, SCMP_CMP_MASKED_EQ, 0xffffffff & FUTEX_CMD_MASK, (operation))

enum {
	NAMESPACES = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID |
		     CLONE_NEWNET,
	/* Of mmap. */
	ODD_MAPS = MAP_GROWSDOWN | MAP_LOCKED | MAP_HUGETLB,
};

/* None makes a descriptor, names a file or reaches another process. */
static const struct rule compute[] = {
	ALLOW_IF(read, "of standard input", SCMP_A0(SCMP_CMP_EQ, STDIN_FILENO), "requests"),
	ALLOW_IF(write, "to standard output", SCMP_A0(SCMP_CMP_EQ, STDOUT_FILENO), "answers"),
	ALLOW_IF(write, "to standard error", SCMP_A0(SCMP_CMP_EQ, STDERR_FILENO), "last words"),
	ALLOW_IF(writev, "to standard output", SCMP_A0(SCMP_CMP_EQ, STDOUT_FILENO), "answers"),
	ALLOW_IF(writev, "to standard error", SCMP_A0(SCMP_CMP_EQ, STDERR_FILENO), "last words"),
	ALLOW_IF_BOTH(mmap, "anonymous, private, without PROT_EXEC", WITHOUT(2, ~(scmp_datum_t)(PROT_READ | PROT_WRITE)),
		      SCMP_CMP(3, SCMP_CMP_MASKED_EQ, ~(scmp_datum_t)(MAP_PRIVATE | MAP_NORESERVE), MAP_ANONYMOUS),
		      "memory"),
	ALLOW_IF(mprotect, "without PROT_EXEC", WITHOUT(2, ~(scmp_datum_t)(PROT_READ | PROT_WRITE)), "heaps that grow"),
	ALLOW_IF(mremap, "in place or anywhere", WITHOUT(3, ~(scmp_datum_t)MREMAP_MAYMOVE), "realloc of large blocks"),
	ALLOW_IF(madvise, "MADV_DONTNEED", SCMP_A2(SCMP_CMP_EQ, MADV_DONTNEED), "malloc gives pages back"),
};

/* What any program does without files, and a thread without others. */
static const struct rule always[] = {
	ALLOW(brk, "malloc grows its heap"),
	ALLOW(munmap, "free of large blocks"),
	ALLOW(exit, "the end of a thread"),
	ALLOW(exit_group, "the end"),
	ALLOW_IF(futex, "FUTEX_WAIT", FUTEX(FUTEX_WAIT), "locks"),
	ALLOW_IF(futex, "FUTEX_WAKE", FUTEX(FUTEX_WAKE), "locks"),
	ALLOW_IF(futex, "FUTEX_WAIT_BITSET", FUTEX(FUTEX_WAIT_BITSET), "locks with a deadline"),
	ALLOW_IF(futex, "FUTEX_WAKE_BITSET", FUTEX(FUTEX_WAKE_BITSET), "locks with a deadline"),
	ALLOW(rt_sigaction, "abort, and handlers of crashes"),
	ALLOW(rt_sigprocmask, "abort blocks signals"),
	ALLOW(rt_sigreturn, "the end of every signal handler"),
	ALLOW(sigaltstack, "handlers of crashes run on a stack of their own"),
	ALLOW(restart_syscall, "the kernel restarts what a signal has interrupted with it"),
	ALLOW(getpid, "abort"),
	ALLOW(gettid, "abort"),
	ALLOW(clock_gettime, "time, where the vDSO cannot answer"),
	ALLOW(gettimeofday, "time, where the vDSO cannot answer"),
	ALLOW(getrusage, "time used"),
	ALLOW(times, "time used"),
	ALLOW(sched_yield, "spin locks"),
	ALLOW(sysinfo, "qsort asks how much memory there is"),
	ALLOW(getrandom, "seeds of hash tables"),
};

/* A program that opens files; Landlock says which. */
static const struct rule tool[] = {
	ALLOW(execve, "the program itself"),
	ALLOW_IF(clone, "with CLONE_THREAD", SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD), "threads"),
	ALLOW_IF_BOTH(mmap, "without PROT_EXEC", WITHOUT(2, PROT_EXEC), WITHOUT(3, ODD_MAPS), "memory and files"),
	ALLOW_IF_BOTH(mmap, "without PROT_WRITE", WITHOUT(2, PROT_WRITE), WITHOUT(3, ODD_MAPS), "code of libraries"),
	ALLOW_IF(mprotect, "without PROT_EXEC", WITHOUT(2, PROT_EXEC), "relocated constants, guards of stacks"),
	ALLOW(mremap, "realloc of large blocks"),
	ALLOW(madvise, "malloc and threads give pages back"),
	ALLOW(read, "files"), ALLOW(readv, "files"), ALLOW(pread64, "files"),
	ALLOW(write, "files"), ALLOW(writev, "files"), ALLOW(pwrite64, "files"),
	ALLOW(open, "files"), ALLOW(openat, "files"), ALLOW(creat, "files"), ALLOW(close, "files"),
	ALLOW(lseek, "files"), ALLOW(ftruncate, "files"), ALLOW(truncate, "files"), ALLOW(fallocate, "files"),
	ALLOW(fadvise64, "files"), ALLOW(umask, "files"), ALLOW(chmod, "files"), ALLOW(fchmod, "files"),
	ALLOW(fchmodat, "files"), ALLOW(rename, "files"), ALLOW(renameat, "files"), ALLOW(renameat2, "files"),
	ALLOW(unlink, "files"), ALLOW(unlinkat, "files"), ALLOW(mkdir, "folders"), ALLOW(mkdirat, "folders"),
	ALLOW(rmdir, "folders"), ALLOW(getdents64, "folders"), ALLOW(getcwd, "folders"),
	ALLOW(stat, "what a path is"), ALLOW(lstat, "what a path is"), ALLOW(fstat, "what a path is"),
	ALLOW(newfstatat, "what a path is"), ALLOW(statx, "what a path is"), ALLOW(statfs, "what a path is"),
	ALLOW(fstatfs, "what a path is"), ALLOW(access, "what a path is"), ALLOW(faccessat, "what a path is"),
	ALLOW(faccessat2, "what a path is"), ALLOW(readlink, "what a path is"), ALLOW(readlinkat, "what a path is"),
	ALLOW_IF(fcntl, "F_DUPFD", SCMP_A1(SCMP_CMP_EQ, F_DUPFD), "descriptors"),
	ALLOW_IF(fcntl, "F_DUPFD_CLOEXEC", SCMP_A1(SCMP_CMP_EQ, F_DUPFD_CLOEXEC), "descriptors"),
	ALLOW_IF(fcntl, "F_GETFD", SCMP_A1(SCMP_CMP_EQ, F_GETFD), "descriptors"),
	ALLOW_IF(fcntl, "F_SETFD", SCMP_A1(SCMP_CMP_EQ, F_SETFD), "descriptors"),
	ALLOW_IF(fcntl, "F_GETFL", SCMP_A1(SCMP_CMP_EQ, F_GETFL), "descriptors"),
	ALLOW_IF(fcntl, "F_SETFL", SCMP_A1(SCMP_CMP_EQ, F_SETFL), "descriptors"),
	ALLOW(dup, "descriptors"), ALLOW(dup2, "descriptors"), ALLOW(dup3, "descriptors"),
	ALLOW_IF(ioctl, "TCGETS", SCMP_A1(SCMP_CMP_EQ, TCGETS), "whether it is a terminal"),
	ALLOW_IF(ioctl, "TIOCGWINSZ", SCMP_A1(SCMP_CMP_EQ, TIOCGWINSZ), "how wide a terminal is"),
	ALLOW_IF(prctl, "PR_SET_NAME", SCMP_A0(SCMP_CMP_EQ, PR_SET_NAME), "names of threads"),
	ALLOW_IF_BOTH(prlimit64, "of itself, without new values", SCMP_A0(SCMP_CMP_EQ, 0), SCMP_A2(SCMP_CMP_EQ, 0),
		      "stacks of threads"),
	ALLOW_IF(futex, "FUTEX_REQUEUE", FUTEX(FUTEX_REQUEUE), "condition variables"),
	ALLOW_IF(futex, "FUTEX_CMP_REQUEUE", FUTEX(FUTEX_CMP_REQUEUE), "condition variables"),
	ALLOW(set_tid_address, "the start of a program"), ALLOW(set_robust_list, "the start of a thread"),
	ALLOW(rseq, "the start of a thread"), ALLOW(arch_prctl, "the start of a program"),
	ALLOW(sched_getaffinity, "how many cores there are"), ALLOW(uname, "what it runs on"),
	ALLOW(getuid, "who it is"), ALLOW(geteuid, "who it is"), ALLOW(getgid, "who it is"),
	ALLOW(getegid, "who it is"), ALLOW(getppid, "who it is"),
	ALLOW(clock_nanosleep, "sleep"), ALLOW(nanosleep, "sleep"), ALLOW(poll, "sleep"), ALLOW(ppoll, "sleep"),
};

/* A program that starts others. */
static const struct rule tools[] = {
	ALLOW(fork, "other programs"), ALLOW(vfork, "other programs"),
	ALLOW_IF(clone, "without new namespaces", WITHOUT(0, NAMESPACES), "other programs"),
	ALLOW(wait4, "their end"), ALLOW(waitid, "their end"),
	ALLOW(pipe, "what they say"), ALLOW(pipe2, "what they say"),
};

struct list {
	const struct rule *rules;
	size_t count;
};

#define LIST(rules) {(rules), sizeof(rules) / sizeof(rules)[0]}

/* Ends with an empty one. */
static const struct list lists[][4] = {
	[FARJIT_ACTIVITY_COMPUTE] = {LIST(compute), LIST(always)},
	[FARJIT_ACTIVITY_TOOL] = {LIST(tool), LIST(always)},
	[FARJIT_ACTIVITY_TOOLS] = {LIST(tools), LIST(tool), LIST(always)},
};

/* Tried with a filter that cannot be read: a kernel with filters says EFAULT. */
static bool kernel_has_filters(void)
{
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, NULL, 0, 0) == 0 || errno != EINVAL;
}

static int add_rules(scmp_filter_ctx filter, const struct list *list)
{
	for (; list->count > 0; list++)
		for (size_t i = 0; i < list->count; i++) {
			const struct rule *rule = &list->rules[i];
			int error = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, rule->number, rule->argument_count,
							   rule->arguments);
			if (error != 0)
				return error;
		}
	return 0;
}

static int load(scmp_filter_ctx filter, enum farjit_activity activity)
{
	/* The default kills one thread and leaves the process hanging. */
	int error = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	if (error == 0)
		error = add_rules(filter, lists[activity]);
	/* abort; a process that it starts has another number, and ends by a trap instead. */
	if (error == 0)
		error = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1,
					 SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid()));
	/* It hides its flags behind a pointer: glibc falls back to clone on ENOSYS. */
	if (error == 0)
		error = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
	return error == 0 ? seccomp_load(filter) : error;
}

bool farjit_filter_system_calls(enum farjit_activity activity, struct farjit_confinement_result *result)
{
	if (!kernel_has_filters()) {
		farjit_note_missing(result, "seccomp", errno);
		return true;
	}
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int error = filter ? load(filter, activity) : -ENOMEM;
	seccomp_release(filter);
	if (error == 0)
		result->confined |= FARJIT_CONFINED_SECCOMP;
	else
		farjit_note_missing(result, "seccomp", -error);
	return error == 0;
}

void farjit_print_system_calls(enum farjit_activity activity)
{
	const char *separator = "";
	puts("[");
	for (const struct list *list = lists[activity]; list->count > 0; list++)
		for (size_t i = 0; i < list->count; i++) {
			const struct rule *rule = &list->rules[i];
			printf("%s  {\"name\": \"%s\", \"condition\": \"%s\", \"reason\": \"%s\"}", separator,
			       rule->name, rule->condition ? rule->condition : "", rule->reason);
			separator = ",\n";
		}
	printf("%s  {\"name\": \"tgkill\", \"condition\": \"to itself\", \"reason\": \"abort\"}\n]\n", separator);
}
