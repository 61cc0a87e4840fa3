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
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* Every kernel that the host runs on has these, whatever the rights of whoever starts it. */
static const uint32_t default_features = FARJIT_CONFINED_NO_NEW_PRIVS | FARJIT_CONFINED_SECCOMP |
					 FARJIT_CONFINED_UNDUMPABLE | FARJIT_CONFINED_LIMITS;
static const uint32_t strict_features = default_features | FARJIT_CONFINED_LANDLOCK | FARJIT_CONFINED_USER_NAMESPACE |
					FARJIT_CONFINED_NETWORK_NAMESPACE | FARJIT_CONFINED_MOUNT_NAMESPACE |
					FARJIT_CONFINED_IPC_NAMESPACE;

void farjit_note_missing(const char *feature, const char *reason)
{
	char *missing = farjit_control->confine.missing;
	size_t length = strnlen(missing, FARJIT_MISSING_BYTES - 1);
	snprintf(missing + length, FARJIT_MISSING_BYTES - length, "%s%s (%s)", length ? ", " : "", feature, reason);
}

typedef struct __user_cap_data_struct capabilities[_LINUX_CAPABILITY_U32S_3];

static void get_capabilities(capabilities own)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	if (syscall(SYS_capget, &header, own) != 0)
		farjit_fault("cannot read capabilities: %s", strerror(errno));
}

static void set_capabilities(const capabilities own)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	if (syscall(SYS_capset, &header, own) != 0)
		farjit_fault("cannot set capabilities: %s", strerror(errno));
}

/* A root that stays root keeps its number only. */
static void drop_capabilities(void)
{
	set_capabilities((const capabilities){0});
}

/* What root lacks to become another user whom it can still end; NULL when it lacks nothing. */
static const char *lacking_capability(const capabilities own)
{
	static const struct {
		uint32_t number;
		const char *words;
	} needed[] = {
		{CAP_SETGID, "root has no CAP_SETGID"},
		{CAP_SETUID, "root has no CAP_SETUID"},
		{CAP_KILL, "without CAP_KILL the host could not end it"},
	};
	for (size_t i = 0; i < sizeof needed / sizeof needed[0]; i++)
		if (!(own[0].effective >> needed[i].number & 1))
			return needed[i].words;
	return NULL;
}

/* True when this process has become the user. It keeps its capabilities for now, if it may: where there is no user
 * namespace they are what gives the others. */
static bool become(uint32_t user_id)
{
	capabilities own;
	get_capabilities(own);
	const char *lacking = lacking_capability(own);
	bool keeps = prctl(PR_SET_KEEPCAPS, 1) == 0;
	if (!lacking && (setgroups(0, NULL) != 0 || setresgid(user_id, user_id, user_id) != 0 ||
			 setresuid(user_id, user_id, user_id) != 0))
		lacking = strerror(errno);
	if (lacking) {
		farjit_note_missing("own user", lacking);
		return false;
	}
	/* The change has made them ineffective. */
	if (keeps)
		set_capabilities(own);
	return true;
}

/* What opens files at its first use, before any can be opened that are the program's. Where the host is, and what time
 * it is there, is none of its affair. */
static void warm_up(void)
{
	setenv("TZ", "UTC0", 1);
	tzset();
	unsetenv("TZ");
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

bool farjit_has_files(void)
{
	return farjit_control->confine.file_space_bytes != 0;
}

/* Answers bits of enum farjit_confinement. */
static uint32_t give_up_rights(uint32_t user_id)
{
	uint32_t confinement = 0;
	/* A host says itself why it gives none. */
	if (user_id == 0 && geteuid() == 0 && farjit_control->confine.missing[0] == '\0')
		farjit_note_missing("own user", "root has no others to give here");
	else if (user_id != 0 && become(user_id))
		confinement |= FARJIT_CONFINED_OWN_USER;
	if (farjit_seal_memory())
		confinement |= FARJIT_CONFINED_SEALED_MEMORY;
	else
		farjit_note_missing("sealed memory", strerror(errno));
	confinement |= farjit_enter_namespaces();
	if (farjit_has_files() && !(confinement & FARJIT_CONFINED_MOUNT_NAMESPACE))
		farjit_fault("files need a mount namespace, which is not here: %s", farjit_control->confine.missing);
	drop_capabilities();
	farjit_die_with_host();
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		farjit_fault("PR_SET_NO_NEW_PRIVS: %s", strerror(errno));
	if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1)
		confinement |= FARJIT_CONFINED_NO_NEW_PRIVS;
	farjit_control->confine.landlock_abi = farjit_restrict_with_landlock(farjit_has_files());
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
	/* Asked now: in a user namespace that does not know it root is nobody. */
	bool is_root = geteuid() == 0;
	warm_up();
	check_alone();
	if (confine->sandbox != FARJIT_SANDBOX_OFF)
		confinement = give_up_rights(confine->user_id);
	else if (farjit_has_files())
		farjit_fault("files need a mount namespace, and there is none without a sandbox");
	farjit_forget_image();
	if (syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE, 0, 0) != 0)
		farjit_fault("membarrier: %s", strerror(errno));
	farjit_set_limits(confinement & counted_alone);
	confinement |= FARJIT_CONFINED_LIMITS;
	if (confine->sandbox == FARJIT_SANDBOX_OFF)
		return confinement;
	farjit_load_filter(farjit_has_files());
	confinement |= FARJIT_CONFINED_SECCOMP;
	bool root_stays = is_root && !(confinement & FARJIT_CONFINED_OWN_USER);
	if ((confinement & default_features) != default_features)
		farjit_fault("confinement is not in force: bits %#x of %#x", confinement & default_features, default_features);
	if (confine->sandbox == FARJIT_SANDBOX_STRICT && ((confinement & strict_features) != strict_features || root_stays))
		farjit_fault("the strict sandbox needs what is not here: %s", confine->missing);
	return confinement;
}
