/* Landlock: no path, no TCP port, no abstract socket and no process outside can be reached, whatever seccomp says. */
#include "runner.h"

#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Of <linux/landlock.h>, which may be older than the kernel. A kernel takes a longer structure than it knows when
 * the rest of it is zero. */
struct ruleset {
	uint64_t handled_access_fs;
	uint64_t handled_access_net;
	uint64_t scoped;
};

#define CREATE_RULESET_VERSION 1u

/* All rights of an ABI version; no rule gives any of them back. */
static struct ruleset everything(long abi)
{
	struct ruleset ruleset = {.handled_access_fs = 0x1fff};
	if (abi >= 2)
		ruleset.handled_access_fs |= UINT64_C(1) << 13; /* REFER */
	if (abi >= 3)
		ruleset.handled_access_fs |= UINT64_C(1) << 14; /* TRUNCATE */
	if (abi >= 4)
		ruleset.handled_access_net = 3; /* BIND_TCP, CONNECT_TCP */
	if (abi >= 5)
		ruleset.handled_access_fs |= UINT64_C(1) << 15; /* IOCTL_DEV */
	if (abi >= 6)
		ruleset.scoped = 3; /* ABSTRACT_UNIX_SOCKET, SIGNAL */
	return ruleset;
}

long farjit_landlock_abi(void)
{
	return syscall(SYS_landlock_create_ruleset, NULL, 0, CREATE_RULESET_VERSION);
}

uint32_t farjit_restrict_with_landlock(void)
{
	long abi = farjit_landlock_abi();
	if (abi < 1) {
		farjit_note_missing("landlock", strerror(errno));
		return 0;
	}
	struct ruleset ruleset = everything(abi);
	int descriptor = (int)syscall(SYS_landlock_create_ruleset, &ruleset, sizeof ruleset, 0);
	if (descriptor < 0 || syscall(SYS_landlock_restrict_self, descriptor, 0) != 0) {
		farjit_note_missing("landlock", strerror(errno));
		abi = 0;
	}
	if (descriptor >= 0)
		close(descriptor);
	return (uint32_t)abi;
}
