/*
 * What the runner gives up before JIT'd code runs: its user, new privileges, being inspected by its equals, and
 * every system call that is not on a short list.
 */
#include "runner.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/membarrier.h>
#include <linux/sched.h>
#include <seccomp.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* Calls allowed with any arguments: memory without rights to execute, threads, time, and I/O on descriptors that
 * are open already. None makes a descriptor, names a file or reaches another process. */
static const int allowed[] = {
	/* memory; mmap and mprotect below */
	SCMP_SYS(brk),
	SCMP_SYS(madvise),
	SCMP_SYS(mremap),
	SCMP_SYS(munmap),
	SCMP_SYS(membarrier),
	/* threads; clone below. Without rseq glibc aborts every new thread. */
	SCMP_SYS(exit),
	SCMP_SYS(exit_group),
	SCMP_SYS(futex),
	SCMP_SYS(gettid),
	SCMP_SYS(rseq),
	SCMP_SYS(sched_getaffinity),
	SCMP_SYS(sched_yield),
	SCMP_SYS(set_robust_list),
	/* signals; kill and tgkill below */
	SCMP_SYS(pause),
	SCMP_SYS(restart_syscall),
	SCMP_SYS(rt_sigaction),
	SCMP_SYS(rt_sigpending),
	SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(rt_sigreturn),
	SCMP_SYS(rt_sigsuspend),
	SCMP_SYS(rt_sigtimedwait),
	SCMP_SYS(sigaltstack),
	/* open descriptors */
	SCMP_SYS(close),
	SCMP_SYS(fstat),
	SCMP_SYS(lseek),
	SCMP_SYS(poll),
	SCMP_SYS(ppoll),
	SCMP_SYS(pselect6),
	SCMP_SYS(read),
	SCMP_SYS(readv),
	SCMP_SYS(select),
	SCMP_SYS(write),
	SCMP_SYS(writev),
	/* time */
	SCMP_SYS(clock_getres),
	SCMP_SYS(clock_gettime),
	SCMP_SYS(clock_nanosleep),
	SCMP_SYS(gettimeofday),
	SCMP_SYS(nanosleep),
	SCMP_SYS(time),
	SCMP_SYS(times),
	/* who and where am I */
	SCMP_SYS(getcpu),
	SCMP_SYS(getegid),
	SCMP_SYS(geteuid),
	SCMP_SYS(getgid),
	SCMP_SYS(getpid),
	SCMP_SYS(getppid),
	SCMP_SYS(getrandom),
	SCMP_SYS(getrusage),
	SCMP_SYS(getuid),
	SCMP_SYS(uname),
};

static void check(int error, const char *what)
{
	if (error < 0)
		farjit_fault("seccomp: %s failed: %s", what, strerror(-error));
}

/* What depends on arguments. */
static void allow_by_argument(scmp_filter_ctx filter)
{
	uint64_t self = (uint64_t)getpid();
	const uint32_t allow = SCMP_ACT_ALLOW;
	/* Nothing new is ever executable. pkey_mprotect is not on the list at all. */
	check(seccomp_rule_add(filter, allow, SCMP_SYS(mmap), 1, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)), "mmap");
	check(seccomp_rule_add(filter, allow, SCMP_SYS(mprotect), 1, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)),
	      "mprotect");
	/* Threads, not processes. clone3 hides its flags behind a pointer: glibc falls back to clone on ENOSYS. */
	check(seccomp_rule_add(filter, allow, SCMP_SYS(clone), 1,
			       SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD)),
	      "clone");
	check(seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0), "clone3");
	/* raise and abort need tgkill. */
	check(seccomp_rule_add(filter, allow, SCMP_SYS(tgkill), 1, SCMP_A0(SCMP_CMP_EQ, self)), "tgkill");
	check(seccomp_rule_add(filter, allow, SCMP_SYS(kill), 1, SCMP_A0(SCMP_CMP_EQ, self)), "kill");
	/* Reading one's own limits. */
	check(seccomp_rule_add(filter, allow, SCMP_SYS(prlimit64), 2, SCMP_A0(SCMP_CMP_EQ, 0),
			       SCMP_A2(SCMP_CMP_EQ, 0)),
	      "prlimit64");
	check(seccomp_rule_add(filter, allow, SCMP_SYS(prctl), 1, SCMP_A0(SCMP_CMP_EQ, PR_SET_NAME)), "prctl");
	check(seccomp_rule_add(filter, allow, SCMP_SYS(prctl), 1, SCMP_A0(SCMP_CMP_EQ, PR_GET_NAME)), "prctl");
}

static void load_filter(void)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	if (!filter)
		farjit_fault("seccomp: no memory for a filter");
	/* The default kills one thread and leaves the process hanging. */
	check(seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS), "foreign architectures");
	/* A binary search instead of a list: futex and write are on every callback's way. */
	check(seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2), "optimize");
	for (size_t i = 0; i < sizeof allowed / sizeof allowed[0]; i++)
		check(seccomp_rule_add(filter, SCMP_ACT_ALLOW, allowed[i], 0), "rule");
	allow_by_argument(filter);
	check(seccomp_load(filter), "load");
	seccomp_release(filter);
}

static void become(uint32_t user_id)
{
	if (setgroups(0, NULL) != 0 || setresgid(user_id, user_id, user_id) != 0 ||
	    setresuid(user_id, user_id, user_id) != 0)
		farjit_fault("cannot become user %u: %s", user_id, strerror(errno));
}

/* A root that stays root keeps its number only. */
static void drop_capabilities(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {0};
	if (syscall(SYS_capset, &header, none) != 0)
		farjit_fault("cannot drop capabilities: %s", strerror(errno));
}

/* What opens files at its first use, while files can still be opened. */
static void warm_up(void)
{
	tzset();
}

void farjit_die_with_host(void)
{
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0)
		farjit_fault("PR_SET_PDEATHSIG: %s", strerror(errno));
}

uint32_t farjit_confine(uint32_t user_id)
{
	uint32_t confinement = FARJIT_CONFINED_SECCOMP;
	warm_up();
	if (user_id != 0) {
		become(user_id);
		confinement |= FARJIT_CONFINED_OWN_USER;
	}
	drop_capabilities();
	farjit_die_with_host();
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		farjit_fault("PR_SET_NO_NEW_PRIVS: %s", strerror(errno));
	if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1)
		confinement |= FARJIT_CONFINED_NO_NEW_PRIVS;
	if (prctl(PR_SET_DUMPABLE, 0) != 0)
		farjit_fault("PR_SET_DUMPABLE: %s", strerror(errno));
	if (prctl(PR_GET_DUMPABLE) == 0)
		confinement |= FARJIT_CONFINED_UNDUMPABLE;
	if (syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE, 0, 0) != 0)
		farjit_fault("membarrier: %s", strerror(errno));
	load_filter();
	return confinement;
}
