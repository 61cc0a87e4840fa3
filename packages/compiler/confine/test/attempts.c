#include "attempts.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct sockaddr_in loopback = {.sin_family = AF_INET, .sin_addr.s_addr = 0x0100007f, .sin_port = 80};
static const struct rlimit unlimited = {RLIM_INFINITY, RLIM_INFINITY};
static char page[4096] __attribute__((aligned(4096)));
static int pair[2];
/* struct clone_args: exit_signal is the fifth. */
static const uint64_t clone_arguments[11] = {[4] = SIGCHLD};
static uint32_t word;
static struct iovec word_vector = {&word, sizeof word};

struct attempt {
	const char *name;
	long number;
	/* With which it would do its work, or fail in another way than by EPERM. */
	long arguments[6];
	/* The child that it may make ends at once. */
	bool forks;
};

#define AT(pointer) ((long)(pointer))
/* For memory that can be written, and for what cannot. */
#define ODD_MAP(name, flag)                                                                                            \
	{"mmap " name, SYS_mmap, {0, 2 << 20, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | (flag), -1, 0}, false},         \
	{                                                                                                              \
		"mmap PROT_WRITE " name, SYS_mmap,                                                                     \
			{0, 2 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | (flag), -1, 0}, false       \
	}

static const struct attempt attempts[] = {
	{"open a file", SYS_openat, {AT_FDCWD, AT("/etc/passwd"), O_RDONLY}, false},
	{"open a folder", SYS_openat, {AT_FDCWD, AT("/"), O_RDONLY | O_DIRECTORY}, false},
	{"open its maps", SYS_openat, {AT_FDCWD, AT("/proc/self/maps"), O_RDONLY}, false},
	{"make a file", SYS_openat, {AT_FDCWD, AT("/tmp/farjit-attempt"), O_CREAT | O_WRONLY, 0600}, false},
	{"remove a file", SYS_unlinkat, {AT_FDCWD, AT("/tmp/farjit-attempt"), 0}, false},
	{"make a folder", SYS_mkdirat, {AT_FDCWD, AT("/"), 0700}, false},
	{"chdir", SYS_chdir, {AT("/")}, false},
	{"dup", SYS_dup, {1}, false},
	{"fcntl F_DUPFD", SYS_fcntl, {1, F_DUPFD, 0}, false},
	{"fcntl F_SETOWN", SYS_fcntl, {0, F_SETOWN, 1}, false},
	{"ioctl TIOCSTI", SYS_ioctl, {0, TIOCSTI, AT(page)}, false},
	{"pipe", SYS_pipe2, {AT(pair), 0}, false},
	{"eventfd", SYS_eventfd2, {0, 0}, false},
	{"memfd_create", SYS_memfd_create, {AT("farjit"), 0}, false},
	{"inotify", SYS_inotify_init1, {0}, false},
	{"socket", SYS_socket, {AF_INET, SOCK_STREAM, 0}, false},
	{"unix socket", SYS_socket, {AF_UNIX, SOCK_STREAM, 0}, false},
	{"netlink", SYS_socket, {AF_NETLINK, SOCK_RAW, 0}, false},
	{"socketpair", SYS_socketpair, {AF_UNIX, SOCK_STREAM, 0, AT(pair)}, false},
	{"connect", SYS_connect, {0, AT(&loopback), sizeof loopback}, false},
	{"sendmsg", SYS_sendmsg, {1, AT(page), 0}, false},
	{"recvmsg", SYS_recvmsg, {0, AT(page), MSG_DONTWAIT}, false},
	{"fork", SYS_fork, {0}, true},
	{"vfork", SYS_clone, {CLONE_VM | CLONE_VFORK | SIGCHLD, 0}, true},
	{"clone", SYS_clone, {SIGCHLD, 0}, true},
	{"clone with a namespace", SYS_clone, {CLONE_NEWUSER | SIGCHLD, 0}, true},
	{"clone3", SYS_clone3, {AT(clone_arguments), sizeof clone_arguments}, true},
	/* Of a folder: allowed, it answers EACCES. */
	{"execve", SYS_execve, {AT("/"), AT(page), AT(page)}, false},
	{"execveat", SYS_execveat, {AT_FDCWD, AT("/"), AT(page), AT(page), 0}, false},
	{"mmap PROT_EXEC", SYS_mmap, {0, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0}, false},
	{"mmap PROT_WRITE and PROT_EXEC",
	 SYS_mmap,
	 {0, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0},
	 false},
	{"mmap MAP_SHARED", SYS_mmap, {0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0}, false},
	ODD_MAP("MAP_GROWSDOWN", MAP_GROWSDOWN),
	ODD_MAP("MAP_LOCKED", MAP_LOCKED),
	ODD_MAP("MAP_HUGETLB", MAP_HUGETLB),
	{"mprotect PROT_EXEC", SYS_mprotect, {AT(page), sizeof page, PROT_READ | PROT_EXEC}, false},
	{"pkey_mprotect", SYS_pkey_mprotect, {AT(page), sizeof page, PROT_READ | PROT_EXEC, -1}, false},
	{"userfaultfd", SYS_userfaultfd, {1}, false},
	{"ptrace", SYS_ptrace, {0x4206 /* PTRACE_SEIZE */, -1, 0, 0}, false},
	{"process_vm_readv", SYS_process_vm_readv, {1, AT(&word_vector), 1, AT(&word_vector), 1, 0}, false},
	{"kill another", SYS_kill, {1, 0}, false},
	{"tgkill another", SYS_tgkill, {1, 1, 0}, false},
	{"pidfd_open", SYS_pidfd_open, {1, 0}, false},
	{"prlimit of another", SYS_prlimit64, {1, RLIMIT_NOFILE, 0, AT(page)}, false},
	{"raise a limit", SYS_prlimit64, {0, RLIMIT_CORE, AT(&unlimited), 0}, false},
	{"setpriority", SYS_setpriority, {PRIO_PROCESS, 0, 1}, false},
	{"sched_setscheduler of another", SYS_sched_setscheduler, {1, SCHED_OTHER, AT(page)}, false},
	{"become dumpable", SYS_prctl, {PR_SET_DUMPABLE, 1}, false},
	{"a filter of its own", SYS_seccomp, {1, 0, AT(page)}, false},
	{"setuid", SYS_setuid, {12345}, false},
	{"unshare", SYS_unshare, {CLONE_NEWUSER}, false},
	{"mount", SYS_mount, {AT("none"), AT("/nowhere"), AT("tmpfs"), 0, 0}, false},
	{"chroot", SYS_chroot, {AT("/")}, false},
	{"bpf", SYS_bpf, {0, AT(page), 48}, false},
	{"io_uring", SYS_io_uring_setup, {1, AT(page)}, false},
	{"perf_event_open", SYS_perf_event_open, {AT(page), 0, -1, -1, 0}, false},
	{"keyctl", SYS_keyctl, {0, -3, 0}, false},
	/* Of what is not there: nothing is left behind where it is allowed. */
	{"shmget", SYS_shmget, {0x46415254, 4096, 0}, false},
	{"mq_open", SYS_mq_open, {AT("farjit-attempt"), O_RDWR, 0, 0}, false},
	{"futex FUTEX_LOCK_PI", SYS_futex, {AT(&word), FUTEX_LOCK_PI | FUTEX_PRIVATE_FLAG, 0, 0, 0, 0}, false},
	{"read descriptor 3", SYS_read, {3, AT(page), 0}, false},
	{"write descriptor 3", SYS_write, {3, AT(page), 0}, false},
};

static int attempt(const struct attempt *what)
{
	const long *a = what->arguments;
	errno = 0;
	long result = syscall(what->number, a[0], a[1], a[2], a[3], a[4], a[5]);
	int error = result == -1 ? errno : 0;
	if (what->forks && result == 0)
		syscall(SYS_exit_group, 0);
	if (what->forks && result > 0)
		waitpid((pid_t)result, NULL, 0);
	return error;
}

size_t farjit_attempt_all(char *text, size_t text_bytes)
{
	size_t length = 0;
	for (size_t i = 0; i < sizeof attempts / sizeof attempts[0] && length < text_bytes; i++) {
		int error = attempt(&attempts[i]);
		length += (size_t)snprintf(text + length, text_bytes - length, "%s: %s\n", attempts[i].name,
					   error == 0 ? "done" : strerrorname_np(error));
	}
	return length;
}
