/*
 * What the runner gives up before JIT'd code runs: its user, new privileges, files, network, the rest of the machine,
 * being inspected by its equals, and every system call that is not on a short list.
 */
#include "runner.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/membarrier.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static const uint32_t strict_features =
	FARJIT_CONFINED_NO_NEW_PRIVS | FARJIT_CONFINED_SECCOMP | FARJIT_CONFINED_UNDUMPABLE | FARJIT_CONFINED_LANDLOCK |
	FARJIT_CONFINED_USER_NAMESPACE | FARJIT_CONFINED_NETWORK_NAMESPACE | FARJIT_CONFINED_MOUNT_NAMESPACE |
	FARJIT_CONFINED_IPC_NAMESPACE | FARJIT_CONFINED_LIMITS;

void farjit_note_missing(const char *feature, const char *reason)
{
	char *missing = farjit_control->confine.missing;
	size_t length = strnlen(missing, FARJIT_MISSING_BYTES - 1);
	snprintf(missing + length, FARJIT_MISSING_BYTES - length, "%s%s (%s)", length ? ", " : "", feature, reason);
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
	static pid_t host;
	if (host == 0)
		host = getppid();
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0)
		farjit_fault("PR_SET_PDEATHSIG: %s", strerror(errno));
	/* The host may have died before the kernel knew that we care. */
	if (getppid() != host)
		_exit(0);
}

/* Credentials, namespaces and Landlock are a thread's own: another one would keep what this one gives up. */
static void check_alone(void)
{
	struct stat tasks;
	if (stat("/proc/self/task", &tasks) != 0)
		farjit_fault("cannot count threads: %s", strerror(errno));
	if (tasks.st_nlink != 3)
		farjit_fault("a preloaded library has started a thread: that must wait until its functions are called");
}

/* Answers bits of enum farjit_confinement. */
static uint32_t give_up_rights(uint32_t user_id)
{
	uint32_t confinement = 0;
	if (user_id != 0) {
		become(user_id);
		confinement |= FARJIT_CONFINED_OWN_USER;
	} else if (geteuid() == 0) {
		farjit_note_missing("own user", "root has no others to give here");
	}
	confinement |= farjit_enter_namespaces();
	drop_capabilities();
	farjit_die_with_host();
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		farjit_fault("PR_SET_NO_NEW_PRIVS: %s", strerror(errno));
	if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1)
		confinement |= FARJIT_CONFINED_NO_NEW_PRIVS;
	farjit_control->confine.landlock_abi = farjit_restrict_with_landlock();
	if (farjit_control->confine.landlock_abi != 0)
		confinement |= FARJIT_CONFINED_LANDLOCK;
	if (prctl(PR_SET_DUMPABLE, 0) != 0)
		farjit_fault("PR_SET_DUMPABLE: %s", strerror(errno));
	if (prctl(PR_GET_DUMPABLE) == 0)
		confinement |= FARJIT_CONFINED_UNDUMPABLE;
	return confinement;
}

uint32_t farjit_confine(void)
{
	struct farjit_confine *confine = &farjit_control->confine;
	const uint32_t counted_alone = FARJIT_CONFINED_OWN_USER | FARJIT_CONFINED_USER_NAMESPACE;
	uint32_t confinement = 0;
	bool root_stays = confine->user_id == 0 && geteuid() == 0;
	warm_up();
	check_alone();
	if (confine->sandbox != FARJIT_SANDBOX_OFF)
		confinement = give_up_rights(confine->user_id);
	if (syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE, 0, 0) != 0)
		farjit_fault("membarrier: %s", strerror(errno));
	farjit_set_limits(confinement & counted_alone);
	confinement |= FARJIT_CONFINED_LIMITS;
	if (confine->sandbox == FARJIT_SANDBOX_OFF)
		return confinement;
	farjit_load_filter();
	confinement |= FARJIT_CONFINED_SECCOMP;
	if (confine->sandbox == FARJIT_SANDBOX_STRICT && ((confinement & strict_features) != strict_features || root_stays))
		farjit_fault("the strict sandbox needs what is not here: %s", confine->missing);
	return confinement;
}
