/** A program in C that tries to get at more than the files it is given, and says of each attempt what became of it. */
export const ATTEMPTS = String.raw`
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static void said(const char *name, long result)
{
	printf("%s: %s\n", name, result >= 0 ? "done" : strerrorname_np(errno));
}

#define TRY(name, call) (errno = 0, said(name, (long)(call)))
#define RAW(name, ...) TRY(#name, syscall(SYS_##name, __VA_ARGS__))

static int reading(const char *path)
{
	int descriptor = open(path, O_RDONLY);
	if (descriptor >= 0)
		close(descriptor);
	return descriptor;
}

static int writing(const char *path)
{
	int descriptor = open(path, O_WRONLY | O_CREAT, 0600);
	if (descriptor >= 0)
		close(descriptor);
	return descriptor;
}

int main(void)
{
	char bytes[4096];
	struct iovec piece = {bytes, sizeof bytes};
	puts("# paths");
	TRY("..", reading("/../../../../etc/passwd"));
	TRY(".. of a given folder", reading("/given/../../etc/passwd"));
	TRY(".. of /tmp", reading("/tmp/../../etc/passwd"));
	TRY("/proc", reading("/proc/self/maps"));
	TRY("/proc by number", reading("/proc/1/root/etc/passwd"));
	TRY("/sys", reading("/sys/kernel"));
	TRY("/dev/fd", reading("/dev/fd/0"));
	TRY("/dev/tty", reading("/dev/tty"));
	TRY("/dev/mem", reading("/dev/mem"));
	TRY("the stage of the root", reading("/.farjit"));
	TRY("link of the given folder to a file of the host", reading("/given/absolute"));
	TRY("link of the given folder out of it", reading("/given/upwards"));
	TRY("link of the given folder to itself", reading("/given/around"));
	TRY("link of its own", symlink("/etc/passwd", "/tmp/link") < 0 ? -1 : reading("/tmp/link"));
	TRY("magic link of its own", symlink("/proc/self/root", "/tmp/magic") < 0 ? -1 : reading("/tmp/magic/etc/passwd"));
	TRY("parent of the working directory", chdir("/given") < 0 ? -1 : reading("../../../../etc/passwd"));
	int folder = open("/tmp", O_RDONLY | O_DIRECTORY);
	TRY(".. of an open folder", openat(folder, "../../etc/passwd", O_RDONLY));
	TRY("folder moved while it is the working directory",
	    mkdir("/tmp/a", 0700) || mkdir("/tmp/a/b", 0700) || mkdir("/tmp/c", 0700) || chdir("/tmp/a/b") ||
	    rename("/tmp/a/b", "/tmp/c/b") ? -1 : reading("../../../etc/passwd"));
	for (int descriptor = 0; descriptor < 64; descriptor++) {
		struct stat status;
		if (descriptor != folder && fstat(descriptor, &status) == 0 && S_ISDIR(status.st_mode))
			printf("descriptor %d is a folder\n", descriptor);
	}
	puts("# what is given is read-only");
	TRY("write", open("/given/file", O_WRONLY));
	TRY("O_TRUNC", open("/given/file", O_RDONLY | O_TRUNC));
	TRY("make", writing("/given/new"));
	TRY("make in the root", writing("/new"));
	TRY("mkdir", mkdir("/given/folder", 0700));
	TRY("unlink", unlink("/given/file"));
	TRY("rename", rename("/given/file", "/given/other"));
	TRY("rename into /tmp", rename("/given/file", "/tmp/other"));
	TRY("link into /tmp", link("/given/file", "/tmp/hard"));
	TRY("chmod", chmod("/given/file", 0600));
	TRY("truncate", truncate("/given/file", 0));
	TRY("utimensat", utimensat(AT_FDCWD, "/given/file", NULL, 0));
	TRY("symlink", symlink("x", "/given/link"));
	TRY("through a link of its own", symlink("/given/file", "/tmp/there") < 0 ? -1 : writing("/tmp/there"));
	puts("# special files");
	TRY("mkfifo", mkfifo("/tmp/fifo", 0600));
	TRY("mknod of a device", mknod("/tmp/device", S_IFCHR | 0600, 0x103));
	RAW(mknodat, AT_FDCWD, "/tmp/node", S_IFSOCK | 0600, 0);
	TRY("socket", socket(AF_UNIX, SOCK_STREAM, 0));
	TRY("chmod with the user's bit", writing("/tmp/own") < 0 ? -1 : chmod("/tmp/own", 04755));
	TRY("open of a mere path", open("/tmp", O_PATH));
	TRY("O_TMPFILE", open("/tmp", O_TMPFILE | O_RDWR, 0600));
	TRY("O_DIRECT", open("/given/file", O_RDONLY | O_DIRECT));
	puts("# devices");
	TRY("write to /dev/null", writing("/dev/null"));
	TRY("write to /dev/zero", writing("/dev/zero"));
	TRY("read /dev/urandom", reading("/dev/urandom"));
	TRY("write to /dev/urandom", open("/dev/urandom", O_WRONLY));
	TRY("chmod of /dev/null", chmod("/dev/null", 0600));
	TRY("fchmod of /dev/null", fchmod(open("/dev/null", O_RDWR), 0600));
	TRY("utimensat of /dev/null", utimensat(AT_FDCWD, "/dev/null", NULL, 0));
	TRY("unlink of /dev/null", unlink("/dev/null"));
	TRY("rename over /dev/null", writing("/tmp/own") < 0 ? -1 : rename("/tmp/own", "/dev/null"));
	TRY("second name of /dev/null", link("/dev/null", "/tmp/null"));
	TRY("make in /dev", writing("/dev/new"));
	TRY("ioctl of /dev/urandom", syscall(SYS_ioctl, open("/dev/urandom", O_RDONLY), 0x5204, bytes));
	TRY("memory of /dev/zero", syscall(SYS_mmap, NULL, 4096, PROT_READ, MAP_SHARED, open("/dev/zero", O_RDONLY), 0));
	puts("# system calls");
	struct { unsigned long long flags, mode, resolve; } how = {0};
	RAW(openat2, AT_FDCWD, "/given/file", &how, sizeof how);
	RAW(name_to_handle_at, AT_FDCWD, "/given/file", bytes, bytes + 512, 0);
	RAW(open_by_handle_at, folder, bytes, O_RDONLY);
	RAW(mount, "none", "/tmp", "tmpfs", 0, NULL);
	RAW(umount2, "/tmp", MNT_DETACH);
	RAW(pivot_root, "/tmp", "/tmp");
	RAW(chroot, "/tmp");
	RAW(open_tree, AT_FDCWD, "/tmp", 1);
	RAW(move_mount, folder, "", AT_FDCWD, "/tmp", 4);
	RAW(fsopen, "tmpfs", 0);
	RAW(mount_setattr, AT_FDCWD, "/given", 0, bytes, 32);
	RAW(unshare, CLONE_NEWNS);
	RAW(setns, folder, 0);
	RAW(execve, "/given/file", NULL, NULL);
	RAW(execveat, folder, "own", NULL, NULL, 0);
	RAW(mmap, NULL, 4096, PROT_READ, MAP_PRIVATE, open("/given/file", O_RDONLY), 0);
	RAW(setxattr, "/tmp/own", "user.x", "y", 1, 0);
	RAW(fallocate, 1, 0, 0, 4096);
	RAW(copy_file_range, 0, NULL, 1, NULL, 1, 0);
	RAW(sendfile, 1, 0, NULL, 1);
	RAW(splice, 0, NULL, 1, NULL, 1, 0);
	RAW(statfs, "/", bytes);
	RAW(fstatfs, folder, bytes);
	RAW(inotify_init1, 0);
	RAW(fanotify_init, 0, 0);
	RAW(flock, folder, 2);
	TRY("fcntl (F_SETLK)", fcntl(1, F_SETLK, bytes));
	TRY("fcntl (F_SETFL)", fcntl(1, F_SETFL, O_NONBLOCK));
	TRY("fcntl (F_NOTIFY)", fcntl(folder, 1026, 1));
	TRY("fcntl (F_ADD_SEALS)", fcntl(1, 1033, 1));
	TRY("dup3 onto the doorbell", dup3(folder, 3, 0));
	TRY("renameat2 (RENAME_EXCHANGE)", renameat2(AT_FDCWD, "/tmp/own", AT_FDCWD, "/tmp/link", 2));
	TRY("renameat2 (RENAME_WHITEOUT)", renameat2(AT_FDCWD, "/tmp/own", AT_FDCWD, "/tmp/white", 4));
	RAW(linkat, open("/given/file", O_RDONLY), "", AT_FDCWD, "/tmp/again", AT_EMPTY_PATH);
	RAW(chown, "/tmp/own", 0, 0);
	RAW(memfd_create, "x", 0);
	RAW(process_vm_readv, getppid(), &piece, 1, &piece, 1, 0);
	RAW(ptrace, 16, getppid(), NULL, NULL);
	RAW(pidfd_open, getppid(), 0);
	RAW(io_uring_setup, 1, bytes);
	RAW(sync, 0);
	RAW(acct, "/tmp/own");
	RAW(swapon, "/tmp/own", 0);
	RAW(quotactl, 0, NULL, 0, NULL);
	RAW(uselib, "/given/file");
	return 0;
}
`;
