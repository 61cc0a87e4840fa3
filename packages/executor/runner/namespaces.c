/* Namespaces of the runner's own, entered without privileges: a user namespace first, which gives the right to the
 * others. No pid namespace: its first process would need an init above it to end as it does. */
#include "runner.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <unistd.h>

static bool write_file(const char *path, const char *text)
{
	int descriptor = open(path, O_WRONLY | O_CLOEXEC);
	if (descriptor < 0)
		return false;
	bool written = write(descriptor, text, strlen(text)) == (ssize_t)strlen(text);
	close(descriptor);
	return written;
}

/* Keeps its number: user and group mean inside what they mean outside, and there are no others. */
static bool map_ids(uid_t user, gid_t group)
{
	char users[64], groups[64];
	snprintf(users, sizeof users, "%u %u 1", user, user);
	snprintf(groups, sizeof groups, "%u %u 1", group, group);
	/* An unprivileged process may map its group only after it gave up setgroups. */
	return write_file("/proc/self/setgroups", "deny") && write_file("/proc/self/uid_map", users) &&
	       write_file("/proc/self/gid_map", groups);
}

/* /proc is a directory on every machine where the host could start a runner. What is mounted over it here is seen
 * by this process alone. */
static bool enter_empty_root(void)
{
	const unsigned long flags = MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC;
	return mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
	       mount("none", "/proc", "tmpfs", flags, "size=4k,nr_inodes=2,mode=555") == 0 && chroot("/proc") == 0 &&
	       chdir("/") == 0;
}

static uint32_t enter(int kind, enum farjit_confinement bit, const char *name)
{
	if (unshare(kind) == 0)
		return bit;
	farjit_note_missing(name, strerror(errno));
	return 0;
}

uint32_t farjit_enter_namespaces(void)
{
	uid_t user = geteuid();
	gid_t group = getegid();
	/* Changing users has made the files of /proc/self root's; nothing else runs as this user. */
	prctl(PR_SET_DUMPABLE, 1);
	uint32_t entered = enter(CLONE_NEWUSER, FARJIT_CONFINED_USER_NAMESPACE, "user namespace");
	/* Some kernels give a user namespace and no rights in it: then it is nobody inside, and enters no others. */
	if (entered && !map_ids(user, group))
		farjit_note_missing("a user in its namespace", strerror(errno));
	entered |= enter(CLONE_NEWNET, FARJIT_CONFINED_NETWORK_NAMESPACE, "network namespace");
	entered |= enter(CLONE_NEWIPC, FARJIT_CONFINED_IPC_NAMESPACE, "ipc namespace");
	if (unshare(CLONE_NEWNS) == 0 && (farjit_has_files() ? farjit_enter_files() : enter_empty_root()))
		entered |= FARJIT_CONFINED_MOUNT_NAMESPACE;
	else
		farjit_note_missing("mount namespace", strerror(errno));
	return entered;
}
