/* Landlock: no path, no TCP port, no abstract socket and no process outside can be reached, whatever seccomp says. */
#include "runner.h"

#include <errno.h>
#include <fcntl.h>
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

/* Of <linux/landlock.h>. */
struct __attribute__((packed)) path_rule {
	uint64_t allowed_access;
	int32_t parent_fd;
};

enum {
	RULE_PATH_BENEATH = 1,
	WRITE_FILE = 1 << 1,
	READ_FILE = 1 << 2,
	/* READ_FILE, READ_DIR */
	READING = 1 << 2 | 1 << 3,
	/* WRITE_FILE, REMOVE_DIR, REMOVE_FILE, MAKE_DIR, MAKE_REG, MAKE_SYM, REFER, TRUNCATE */
	WRITING = 1 << 1 | 1 << 4 | 1 << 5 | 1 << 7 | 1 << 8 | 1 << 12 | 1 << 13 | 1 << 14,
};

/* All rights of an ABI version; only those to files that it is given are given back. */
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

static int ruleset_descriptor;
static uint64_t known_rights;

static void allow(int folder, uint64_t rights)
{
	const struct path_rule rule = {rights & known_rights, folder};
	if (syscall(SYS_landlock_add_rule, ruleset_descriptor, RULE_PATH_BENEATH, &rule, 0) != 0)
		farjit_fault("landlock: cannot add a rule: %s", strerror(errno));
}

static void allow_writing(int folder)
{
	allow(folder, READING | WRITING);
}

/* A device has no other rights. */
static void allow_device(int device)
{
	allow(device, READ_FILE | WRITE_FILE);
}

static void allow_files(int descriptor, uint64_t rights)
{
	int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		farjit_fault("cannot open the root: %s", strerror(errno));
	ruleset_descriptor = descriptor;
	known_rights = rights;
	allow(root, READING);
	farjit_each_writable(allow_writing);
	farjit_each_device(allow_device);
	close(root);
}

uint32_t farjit_restrict_with_landlock(bool has_files)
{
	long abi = farjit_landlock_abi();
	if (abi < 1) {
		farjit_note_missing("landlock", strerror(errno));
		return 0;
	}
	struct ruleset ruleset = everything(abi);
	int descriptor = (int)syscall(SYS_landlock_create_ruleset, &ruleset, sizeof ruleset, 0);
	if (descriptor >= 0 && has_files)
		allow_files(descriptor, ruleset.handled_access_fs);
	if (descriptor < 0 || syscall(SYS_landlock_restrict_self, descriptor, 0) != 0) {
		farjit_note_missing("landlock", strerror(errno));
		abi = 0;
	}
	if (descriptor >= 0)
		close(descriptor);
	return (uint32_t)abi;
}
