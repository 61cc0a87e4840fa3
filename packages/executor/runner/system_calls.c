/*
 * The list of system calls: memory without rights to execute, threads, time, and I/O on descriptors that are open
 * already. None makes a descriptor that was not there, names a file or reaches another process. What is not on it fails with EPERM.
 *
 * Where an argument is an int, the kernel looks at its lower half, and so do the rows.
 */
#include "shared_layout.h"
#include "system_calls.h"

#include <asm/ioctls.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/membarrier.h>
#include <linux/fs.h>
#include <linux/sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#define NAMED(call) .number = SCMP_SYS(call), .name = #call
/* A system call that can do no harm whatever its arguments: nothing it takes names more than the process itself has. */
#define ALLOW(call, why) {NAMED(call), .reason = (why)}
#define IS(index, value) SCMP_CMP(index, SCMP_CMP_MASKED_EQ, 0xffffffffu, (uint32_t)(value))
/* No bits but these. */
#define ONLY(index, bits) SCMP_CMP(index, SCMP_CMP_MASKED_EQ, ~(uint64_t)(bits), 0)
#define WITH1(call, words, why, first)                                                                                 \
	{NAMED(call), .condition = (words), .reason = (why), .arguments = {first}, .argument_count = 1}
#define WITH2(call, words, why, first, second)                                                                         \
	{NAMED(call), .condition = (words), .reason = (why), .arguments = {first, second}, .argument_count = 2}

/* Both kinds of memory and both clocks. */
#define FUTEX_IS(value)                                                                                                \
	SCMP_CMP(1, SCMP_CMP_MASKED_EQ, 0xffffffffu & ~(uint32_t)(FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME), value)
#define FUTEX(operation, why) WITH1(futex, #operation, why, FUTEX_IS(operation))
/* libc asks for one of these, finds that there are none, and says ENOTSUP for mutexes of the kind; of EPERM it would
 * die. A thread that waits by one makes FUTEX_WAKE of the host fail. */
#define NO_FUTEX(operation)                                                                                            \
	{NAMED(futex), .condition = #operation, .reason = "priority inheritance: libc answers ENOTSUP to who asks for it",        \
	 .arguments = {FUTEX_IS(operation)}, .argument_count = 1, .error = ENOSYS}

/* Clocks by number, and those of a thread, which the kernel gives to threads of the same process only. Clocks of other
 * processes, which are numbers too, say when they run. */
#define CLOCK_OF_SYSTEM SCMP_CMP(0, SCMP_CMP_MASKED_EQ, 0xfffffff0u, 0)
#define CLOCK_OF_THREAD SCMP_CMP(0, SCMP_CMP_MASKED_EQ, 0x80000004u, 0x80000004u)

#define THREAD_FLAGS                                                                                                   \
	(CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM | CLONE_SETTLS |                      \
	 CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID)
#define PRIVATE_FLAGS (MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_FIXED_NOREPLACE | MAP_NORESERVE | MAP_STACK)

const struct farjit_system_call farjit_system_calls[] = {
	ALLOW(brk, "malloc grows its heap"),
	WITH1(madvise, "MADV_DONTNEED", "malloc and threads give pages back", IS(2, MADV_DONTNEED)),
	WITH1(madvise, "MADV_FREE", "allocators of programs give pages back", IS(2, MADV_FREE)),
	{NAMED(mmap), .reason = "heaps and stacks; not shared, not locked, not taken before they are touched",
	 .condition = "MAP_PRIVATE and MAP_ANONYMOUS, of the others only MAP_FIXED, MAP_FIXED_NOREPLACE, MAP_NORESERVE, MAP_STACK; without PROT_EXEC",
	 .arguments = {ONLY(2, PROT_READ | PROT_WRITE),
		       SCMP_CMP(3, SCMP_CMP_MASKED_EQ, ~(uint64_t)PRIVATE_FLAGS | MAP_PRIVATE | MAP_ANONYMOUS,
				MAP_PRIVATE | MAP_ANONYMOUS)},
	 .argument_count = 2},
	WITH1(mprotect, "PROT_READ, PROT_WRITE or none", "guards of stacks, heaps that grow", ONLY(2, PROT_READ | PROT_WRITE)),
	WITH2(mremap, "MREMAP_MAYMOVE or none, of more than nothing", "realloc of large blocks; of nothing would be a second mapping",
	      SCMP_CMP(1, SCMP_CMP_NE, 0), ONLY(3, MREMAP_MAYMOVE)),
	ALLOW(munmap, "free of large blocks, the end of a thread"),
	WITH2(membarrier, "MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE", "code published where other code was is seen by all threads",
	      IS(0, MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE), IS(1, 0)),
	WITH1(clone, "the flags of a thread, no others", "threads, not processes, and no descriptor of one",
	      SCMP_CMP(0, SCMP_CMP_EQ, THREAD_FLAGS)),
	ALLOW(exit, "the end of a thread"),
	ALLOW(exit_group, "exit, and the end of the runner"),
	FUTEX(FUTEX_WAIT, "locks, waiting for the host"),
	FUTEX(FUTEX_WAKE, "locks"),
	FUTEX(FUTEX_REQUEUE, "condition variables of programs"),
	FUTEX(FUTEX_CMP_REQUEUE, "condition variables of programs"),
	FUTEX(FUTEX_WAIT_BITSET, "condition variables, waiting until a time"),
	FUTEX(FUTEX_WAKE_BITSET, "locks of programs that tell readers from writers"),
	NO_FUTEX(FUTEX_LOCK_PI),
	NO_FUTEX(FUTEX_UNLOCK_PI),
	NO_FUTEX(FUTEX_TRYLOCK_PI),
	NO_FUTEX(FUTEX_WAIT_REQUEUE_PI),
	NO_FUTEX(FUTEX_CMP_REQUEUE_PI),
	NO_FUTEX(FUTEX_LOCK_PI2),
	ALLOW(gettid, "threads name themselves"),
	WITH1(rseq, "to register", "glibc aborts a new thread without it", IS(2, 0)),
	WITH1(sched_getaffinity, "of the calling thread", "how many processors there are", SCMP_CMP(0, SCMP_CMP_EQ, 0)),
	{NAMED(sched_getaffinity), .condition = "of another thread or process", .error = ENOSYS,
	 .reason = "numbers of others say that they are there; pthread_getattr_np does without",
	 .arguments = {SCMP_CMP(0, SCMP_CMP_NE, 0)}, .argument_count = 1},
	ALLOW(sched_yield, "spin locks"),
	ALLOW(set_robust_list, "glibc registers each thread"),
	ALLOW(pause, "a thread that waits for a signal to itself"),
	ALLOW(restart_syscall, "the kernel restarts sleeps with it"),
	ALLOW(rt_sigaction, "signal handlers of its own"),
	ALLOW(rt_sigpending, "signals to itself"),
	ALLOW(rt_sigprocmask, "threads and abort block signals"),
	ALLOW(rt_sigreturn, "the end of every signal handler"),
	ALLOW(rt_sigsuspend, "signals to itself"),
	ALLOW(rt_sigtimedwait, "signals to itself"),
	ALLOW(sigaltstack, "trap handlers run on a stack of their own"),
	ALLOW(close, "fclose"),
	WITH1(fcntl, "F_GETFL", "fdopen asks how a descriptor was opened", IS(1, F_GETFL)),
	ALLOW(fstat, "stdio asks what it writes to"),
	{NAMED(ioctl), .condition = "TCGETS", .error = ENOTTY, .reason = "isatty: nothing here is a terminal",
	 .arguments = {IS(1, TCGETS)}, .argument_count = 1},
	ALLOW(lseek, "stdio asks where it is"),
	ALLOW(poll, "waiting for output that is held back"),
	ALLOW(ppoll, "the same, newer, and for the doorbell"),
	ALLOW(pselect6, "the same, portable"),
	{NAMED(dup3), .condition = "of a program's input, to be descriptor 0", .reason = "a program that begins reads its own input",
	 .arguments = {IS(0, FARJIT_FD_INPUT), IS(1, 0), IS(2, 0)}, .argument_count = 3},
	ALLOW(read, "the doorbell, standard input, what a preloaded library has opened"),
	ALLOW(readv, "the same"),
	ALLOW(select, "the same, older"),
	ALLOW(write, "output and the doorbell"),
	ALLOW(writev, "output"),
	WITH1(clock_getres, "clocks 0 to 15", "time", CLOCK_OF_SYSTEM),
	WITH1(clock_getres, "clocks of its own threads", "CPU time they used", CLOCK_OF_THREAD),
	WITH1(clock_gettime, "clocks 0 to 15", "time, where the vDSO cannot answer", CLOCK_OF_SYSTEM),
	WITH1(clock_gettime, "clocks of its own threads", "CPU time they used", CLOCK_OF_THREAD),
	WITH1(clock_nanosleep, "clocks 0 to 15", "sleep", CLOCK_OF_SYSTEM),
	ALLOW(gettimeofday, "time, where the vDSO cannot answer"),
	ALLOW(nanosleep, "sleep"),
	ALLOW(time, "time, where the vDSO cannot answer"),
	ALLOW(times, "CPU time it used"),
	ALLOW(getcpu, "where it runs"),
	ALLOW(getegid, "who it is"),
	ALLOW(geteuid, "who it is"),
	ALLOW(getgid, "who it is"),
	ALLOW(getpid, "raise and abort"),
	ALLOW(getppid, "who its host is"),
	ALLOW(getrandom, "random numbers without a file"),
	ALLOW(getrusage, "what it used"),
	ALLOW(getuid, "who it is"),
	ALLOW(uname, "what it runs on"),
	WITH2(prlimit64, "of itself, without new values", "reading its own limits", IS(0, 0), SCMP_CMP(2, SCMP_CMP_EQ, 0)),
	WITH1(prctl, "PR_SET_NAME", "names of threads", IS(0, PR_SET_NAME)),
	WITH1(prctl, "PR_GET_NAME", "names of threads", IS(0, PR_GET_NAME)),
	/* It hides its flags behind a pointer. */
	{NAMED(clone3), .error = ENOSYS, .reason = "glibc takes this for an older kernel and uses clone"},
};
const size_t farjit_system_call_count = sizeof farjit_system_calls / sizeof farjit_system_calls[0];

/* How a file may be opened: not as a mere path, not without a name, and with nothing that a device or a signal is for. */
#define OPEN_FLAGS                                                                                                     \
	(O_ACCMODE | O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_APPEND | O_NONBLOCK | O_DSYNC | O_SYNC | 0100000 |               \
	 O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
/* Rights, without those of who owns the file. */
#define RIGHTS_OF_FILE(index) ONLY_LOW(index, S_IFREG | 0777)
/* No bits of an int but these. */
#define ONLY_LOW(index, bits) SCMP_CMP(index, SCMP_CMP_MASKED_EQ, 0xffffffffu & ~(uint64_t)(bits), 0)
#define OPEN_WORDS                                                                                                     \
	"reading, writing, O_CREAT, O_EXCL, O_NOCTTY, O_TRUNC, O_APPEND, O_NONBLOCK, O_DSYNC, O_SYNC, O_DIRECTORY, O_NOFOLLOW, O_CLOEXEC"

/* Names lead to what is in the root that the runner was given, whose rights the kernel knows. None makes anything but files,
 * folders and symbolic links. */
const struct farjit_system_call farjit_file_system_calls[] = {
	WITH1(open, OPEN_WORDS, "fopen, as programs of their own write it", ONLY_LOW(1, OPEN_FLAGS)),
	WITH1(openat, OPEN_WORDS, "fopen, opendir", ONLY_LOW(2, OPEN_FLAGS)),
	ALLOW(creat, "the oldest way to make a file"),
	ALLOW(stat, "what a file is"),
	ALLOW(lstat, "what a link is"),
	WITH1(newfstatat, "AT_SYMLINK_NOFOLLOW, AT_EMPTY_PATH", "stat of the C library", ONLY_LOW(3, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)),
	WITH1(statx, "AT_SYMLINK_NOFOLLOW, AT_EMPTY_PATH, AT_NO_AUTOMOUNT", "the same, newer",
	      ONLY_LOW(2, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH | AT_NO_AUTOMOUNT)),
	ALLOW(access, "whether a file is there"),
	ALLOW(faccessat, "the same"),
	WITH1(faccessat2, "AT_EACCESS, AT_SYMLINK_NOFOLLOW", "the same", ONLY_LOW(3, AT_EACCESS | AT_SYMLINK_NOFOLLOW)),
	ALLOW(readlink, "where a link leads"),
	ALLOW(readlinkat, "the same, realpath"),
	ALLOW(getdents64, "readdir"),
	ALLOW(getcwd, "where it is"),
	ALLOW(chdir, "to be elsewhere in its root"),
	ALLOW(fchdir, "the same, in a folder that it has opened there"),
	ALLOW(mkdir, "folders of its own"),
	ALLOW(mkdirat, "the same"),
	ALLOW(rmdir, "the end of a folder"),
	ALLOW(unlink, "the end of a file"),
	WITH1(unlinkat, "AT_REMOVEDIR", "remove", ONLY_LOW(2, AT_REMOVEDIR)),
	ALLOW(rename, "a file that takes another's place"),
	ALLOW(renameat, "the same"),
	WITH1(renameat2, "RENAME_NOREPLACE", "the same", ONLY_LOW(4, RENAME_NOREPLACE)),
	ALLOW(link, "a second name"),
	WITH1(linkat, "AT_SYMLINK_FOLLOW", "the same", ONLY_LOW(4, AT_SYMLINK_FOLLOW)),
	ALLOW(symlink, "links, which lead nowhere but to its root"),
	ALLOW(symlinkat, "the same"),
	WITH1(chmod, "rights of user, group and others", "rights of its own files", RIGHTS_OF_FILE(1)),
	WITH1(fchmod, "rights of user, group and others", "the same", RIGHTS_OF_FILE(1)),
	WITH1(fchmodat, "rights of user, group and others", "the same", RIGHTS_OF_FILE(2)),
	ALLOW(utimensat, "times of its own files"),
	ALLOW(utime, "the same, older"),
	ALLOW(utimes, "the same, older"),
	ALLOW(umask, "rights that its new files do not have"),
	ALLOW(truncate, "the size of a file"),
	ALLOW(ftruncate, "the same"),
	ALLOW(fsync, "nothing: its files are memory"),
	ALLOW(fdatasync, "the same"),
	ALLOW(pread64, "reading at a place"),
	ALLOW(preadv, "the same"),
	ALLOW(pwrite64, "writing at a place"),
	ALLOW(pwritev, "the same"),
	ALLOW(dup, "another number for a descriptor"),
	WITH1(dup2, "to be descriptor 0, 1 or 2", "freopen of standard streams", SCMP_CMP(1, SCMP_CMP_LE, 2)),
	WITH1(dup3, "to be descriptor 0, 1 or 2", "the same", SCMP_CMP(1, SCMP_CMP_LE, 2)),
	WITH1(fcntl, "F_GETFD", "whether a descriptor is there", IS(1, F_GETFD)),
	WITH1(fcntl, "F_SETFD", "nothing: no program takes this one's place", IS(1, F_SETFD)),
	WITH1(fcntl, "F_DUPFD", "another number for a descriptor", IS(1, F_DUPFD)),
	WITH1(fcntl, "F_DUPFD_CLOEXEC", "the same", IS(1, F_DUPFD_CLOEXEC)),
};
const size_t farjit_file_system_call_count = sizeof farjit_file_system_calls / sizeof farjit_file_system_calls[0];

void farjit_own_system_calls(pid_t self, struct farjit_system_call rows[FARJIT_OWN_SYSTEM_CALLS])
{
	/* <linux/posix-timers.h> of the kernel: the complement of the process, and 2 for the time it was on a processor. */
	const uint32_t own_clock = ~(uint32_t)self << 3 | 2;
	const struct farjit_system_call own[] = {
		WITH1(tgkill, "to its own process", "raise and abort", IS(0, self)),
		WITH1(kill, "to its own process", "signals to itself", IS(0, self)),
		WITH1(clock_getres, "the clock of its own process", "CPU time it used", IS(0, own_clock)),
		WITH1(clock_gettime, "the clock of its own process", "CPU time it used", IS(0, own_clock)),
	};
	_Static_assert(sizeof own / sizeof own[0] == FARJIT_OWN_SYSTEM_CALLS, "all of them");
	memcpy(rows, own, sizeof own);
}
