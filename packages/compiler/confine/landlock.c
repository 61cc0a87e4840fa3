/* Landlock: the paths that were given, no other, no TCP port, no abstract socket and no signal to a process outside. */
#include "confine.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Of <linux/landlock.h>, which may be older than the kernel. A kernel takes a longer structure than it knows when
 * the rest of it is zero. */
struct ruleset {
	uint64_t handled_access_fs;
	uint64_t handled_access_net;
	uint64_t scoped;
};

struct path_beneath {
	uint64_t allowed_access;
	int32_t parent;
} __attribute__((packed));

enum { CREATE_RULESET_VERSION = 1, RULE_PATH_BENEATH = 1 };

enum right {
	EXECUTE = 1 << 0,
	WRITE_FILE = 1 << 1,
	READ_FILE = 1 << 2,
	READ_DIR = 1 << 3,
	REMOVE_DIR = 1 << 4,
	REMOVE_FILE = 1 << 5,
	MAKE_DIR = 1 << 7,
	MAKE_REG = 1 << 8,
	REFER = 1 << 13,
	TRUNCATE = 1 << 14,
	/* What a file has that is no directory. */
	OF_FILES = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE,
	READ_ONLY = EXECUTE | READ_FILE | READ_DIR,
	/* Not EXECUTE: what was written is not run. No links, sockets, pipes and devices. */
	WRITABLE = WRITE_FILE | READ_FILE | READ_DIR | REMOVE_DIR | REMOVE_FILE | MAKE_DIR | MAKE_REG |
		   REFER | TRUNCATE,
};

/* All rights of an ABI version. */
static struct ruleset everything(long abi)
{
	struct ruleset ruleset = {.handled_access_fs = 0x1fff};
	if (abi >= 2)
		ruleset.handled_access_fs |= REFER;
	if (abi >= 3)
		ruleset.handled_access_fs |= TRUNCATE;
	if (abi >= 4)
		ruleset.handled_access_net = 3; /* BIND_TCP, CONNECT_TCP */
	if (abi >= 5)
		ruleset.handled_access_fs |= UINT64_C(1) << 15; /* IOCTL_DEV */
	if (abi >= 6)
		ruleset.scoped = 3; /* ABSTRACT_UNIX_SOCKET, SIGNAL */
	return ruleset;
}

static int allow_path(int ruleset, const char *path, uint64_t rights)
{
	struct stat status;
	int descriptor = open(path, O_PATH | O_CLOEXEC);
	if (descriptor < 0)
		return errno;
	int error = fstat(descriptor, &status) != 0 ? errno : 0;
	if (error == 0) {
		struct path_beneath rule = {rights, descriptor};
		if (!S_ISDIR(status.st_mode))
			rule.allowed_access &= OF_FILES;
		if (syscall(SYS_landlock_add_rule, ruleset, RULE_PATH_BENEATH, &rule, 0) != 0)
			error = errno;
	}
	close(descriptor);
	return error;
}

static bool allow_paths(int ruleset, const char *const *paths, uint64_t rights,
			struct farjit_confinement_result *result)
{
	for (; paths && *paths; paths++) {
		int error = allow_path(ruleset, *paths, rights);
		if (error == 0)
			continue;
		farjit_note_missing(result, *paths, error);
		return false;
	}
	return true;
}

bool farjit_restrict_paths(const struct farjit_confinement *wanted, struct farjit_confinement_result *result)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, CREATE_RULESET_VERSION);
	if (abi < 1) {
		farjit_note_missing(result, "landlock", errno);
		return true;
	}
	struct ruleset all = everything(abi);
	int ruleset = (int)syscall(SYS_landlock_create_ruleset, &all, sizeof all, 0);
	if (ruleset < 0) {
		farjit_note_missing(result, "landlock", errno);
		return true;
	}
	/* A right that this version does not know cannot be given. */
	bool all_there = allow_paths(ruleset, wanted->read_only, READ_ONLY & all.handled_access_fs, result) &&
			 allow_paths(ruleset, wanted->writable, WRITABLE & all.handled_access_fs, result);
	if (all_there && syscall(SYS_landlock_restrict_self, ruleset, 0) == 0) {
		result->confined |= FARJIT_CONFINED_LANDLOCK;
		result->landlock_version = (unsigned)abi;
	} else if (all_there) {
		farjit_note_missing(result, "landlock", errno);
	}
	close(ruleset);
	return all_there;
}
