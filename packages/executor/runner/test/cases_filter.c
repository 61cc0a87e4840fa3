/* The seccomp filter, tried with every system call and every value of the arguments that it looks at. */
#include "host.h"

#include "../system_calls.h"

#include <errno.h>
#include <linux/futex.h>
#include <linux/membarrier.h>
#include <linux/sched.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum {
	/* Well behind the last system call there is. */
	SYSTEM_CALLS = 1024,
	URETPROBE = 335,
	UPROBE = 336,
	ALARM_CLOCKS = 8, /* and 9 */
	DATA_WORD = DATA_SCRATCH,
	DATA_OTHER_WORD = DATA_SCRATCH + 64,
	DATA_TEXT = DATA_SCRATCH + 128,
	DATA_OBJECT = DATA_SCRATCH + 512,
	DATA_ATTRIBUTES = DATA_SCRATCH + 1024,
	DATA_TIME = DATA_SCRATCH + 1536,
};

/* Where the runner has nothing mapped: executables and libraries are far above. */
#define FREE_ADDRESS UINT64_C(0x10000000)

static struct host host;
static uint64_t syscall_address;

static void open_host(void)
{
	host_open(&host);
	syscall_address = host_lookup(&host, "syscall");
}

/* errno of a system call that JIT'd code makes, 0 when it succeeds. */
static int error_of(long number, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e)
{
	int error;
	uint64_t result = host_call(&host, syscall_address, ARGUMENTS((uint64_t)number, a, b, c, d, e), &error);
	return result == UINT64_MAX ? error : 0;
}

/* The filter's answer is `refused`, 0 for none. EPERM and ENOSYS are no answers of the kernel's to what is tried here. */
static void expect(const char *what, uint64_t value, int error, int refused)
{
	bool is_refused = error == EPERM || error == ENOSYS;
	if (refused ? error == refused : !is_refused)
		return;
	fprintf(stderr, "%s %#llx failed with %s, expected %s\n", what, (unsigned long long)value, strerrorname_np(error),
		refused ? strerrorname_np(refused) : "what the kernel answers");
	exit(1);
}

static bool is_listed(int number)
{
	struct farjit_system_call own[FARJIT_OWN_SYSTEM_CALLS];
	farjit_own_system_calls(getpid(), own);
	for (size_t i = 0; i < farjit_system_call_count; i++)
		if (farjit_system_calls[i].number == number)
			return true;
	for (size_t i = 0; i < FARJIT_OWN_SYSTEM_CALLS; i++)
		if (own[i].number == number)
			return true;
	return false;
}

static void refuses_every_system_call_that_is_not_listed(void)
{
	open_host();
	for (int number = 0; number < SYSTEM_CALLS; number++)
		/* The kernel lets no filter see these two; what they do is tested where runners are lost. */
		if (!is_listed(number) && number != URETPROBE && number != UPROBE)
			expect("system call", (uint64_t)number, error_of(number, 0, 0, 0, 0, 0), EPERM);
	/* The kernel takes the lower half for the number, and so does the filter. */
	const int64_t odd[] = {-1, INT64_C(1) << 32 | SYS_openat, INT64_C(1) << 40 | SYS_socket, INT64_MIN | SYS_execve, 0x3fffffff};
	for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++)
		expect("system call", (uint64_t)odd[i], error_of(odd[i], 0, 0, 0, 0, 0), EPERM);
	host_close(&host);
}

static void refuses_operations_on_futexes_but_those_of_locks(void)
{
	static const int answers[16] = {
		[FUTEX_FD] = EPERM, [FUTEX_WAKE_OP] = EPERM, [FUTEX_LOCK_PI] = ENOSYS, [FUTEX_UNLOCK_PI] = ENOSYS,
		[FUTEX_TRYLOCK_PI] = ENOSYS, [FUTEX_WAIT_REQUEUE_PI] = ENOSYS, [FUTEX_CMP_REQUEUE_PI] = ENOSYS,
		[FUTEX_LOCK_PI2] = ENOSYS, [14] = EPERM, [15] = EPERM,
	};
	open_host();
	uint64_t word = data_address(&host, DATA_WORD), other = data_address(&host, DATA_OTHER_WORD);
	/* The word is not 123, so nothing waits. */
	for (uint64_t operation = 0; operation < 16; operation++)
		for (uint64_t private = 0; private <= FUTEX_PRIVATE_FLAG; private += FUTEX_PRIVATE_FLAG)
			expect("futex", operation | private, error_of(SYS_futex, word, operation | private, 123, 0, other),
			       answers[operation]);
	expect("futex", FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME,
	       error_of(SYS_futex, word, FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME, 123, 0, other), 0);
	for (int bit = 4; bit < 32; bit++)
		if (1 << bit != FUTEX_PRIVATE_FLAG && 1 << bit != FUTEX_CLOCK_REALTIME)
			expect("futex", UINT64_C(1) << bit, error_of(SYS_futex, word, UINT64_C(1) << bit, 123, 0, other), EPERM);
	host_close(&host);
}

static void refuses_memory_that_is_not_private_and_plain(void)
{
	const uint64_t read_write = PROT_READ | PROT_WRITE, plain = MAP_PRIVATE | MAP_ANONYMOUS, none = (uint64_t)-1;
	const uint64_t allowed = plain | MAP_FIXED | MAP_NORESERVE | MAP_STACK | MAP_FIXED_NOREPLACE;
	open_host();
	for (uint64_t type = 0; type < 16; type++)
		expect("mmap of type", type, error_of(SYS_mmap, FREE_ADDRESS, 4096, read_write, type | MAP_ANONYMOUS, none),
		       type == MAP_PRIVATE ? 0 : EPERM);
	expect("mmap of a descriptor", 0, error_of(SYS_mmap, FREE_ADDRESS, 4096, read_write, MAP_PRIVATE, 0), EPERM);
	for (int bit = 4; bit < 64; bit++) {
		uint64_t flag = UINT64_C(1) << bit;
		int error = error_of(SYS_mmap, FREE_ADDRESS, 4096, read_write, plain | flag, none);
		expect("mmap with", flag, error, flag & allowed ? 0 : EPERM);
	}
	for (int bit = 0; bit < 64; bit++) {
		uint64_t right = UINT64_C(1) << bit;
		int refused = right & read_write ? 0 : EPERM;
		expect("mmap with right", right, error_of(SYS_mmap, FREE_ADDRESS, 4096, right, plain | MAP_FIXED, none), refused);
		expect("mprotect with", right, error_of(SYS_mprotect, FREE_ADDRESS, 4096, right, 0, 0), refused);
		expect("mremap with", right, error_of(SYS_mremap, FREE_ADDRESS, 4096, 4096, right, 0),
		       right == MREMAP_MAYMOVE ? 0 : EPERM);
	}
	expect("mprotect without rights", 0, error_of(SYS_mprotect, FREE_ADDRESS, 4096, 0, 0, 0), 0);
	expect("mremap without", 0, error_of(SYS_mremap, FREE_ADDRESS, 4096, 4096, 0, 0), 0);
	expect("mremap of nothing", 0, error_of(SYS_mremap, data_address(&host, 0), 0, 4096, MREMAP_MAYMOVE, 0), EPERM);
	for (uint64_t advice = 0; advice < 128; advice++)
		expect("madvise", advice, error_of(SYS_madvise, FREE_ADDRESS, 4096, advice, 0, 0),
		       advice == MADV_DONTNEED || advice == MADV_FREE ? 0 : EPERM);
	host_close(&host);
}

static void refuses_threads_that_are_more_than_threads(void)
{
	const uint64_t thread = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM |
				CLONE_SETTLS | CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID;
	open_host();
	for (int bit = 0; bit < 64; bit++)
		expect("clone with", UINT64_C(1) << bit, error_of(SYS_clone, thread ^ UINT64_C(1) << bit, 0, 0, 0, 0), EPERM);
	uint64_t word = data_address(&host, DATA_WORD);
	expect("rseq", 0, error_of(SYS_rseq, word, 32, 0, 0, 0), 0);
	for (int bit = 0; bit < 32; bit++)
		expect("rseq", UINT64_C(1) << bit, error_of(SYS_rseq, word, 32, UINT64_C(1) << bit, 0, 0), EPERM);
	for (uint64_t option = 0; option < 128; option++)
		expect("prctl", option, error_of(SYS_prctl, option, data_address(&host, DATA_TEXT), 0, 0, 0),
		       option == PR_SET_NAME || option == PR_GET_NAME ? 0 : EPERM);
	expect("membarrier", 0, error_of(SYS_membarrier, MEMBARRIER_CMD_QUERY, 0, 0, 0, 0), EPERM);
	for (int bit = 0; bit < 32; bit++)
		expect("membarrier", UINT64_C(1) << bit, error_of(SYS_membarrier, UINT64_C(1) << bit, 0, 0, 0, 0),
		       1 << bit == MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE ? 0 : EPERM);
	expect("membarrier for a processor", 1, error_of(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE, 1, 0, 0, 0),
	       EPERM);
	host_close(&host);
}

static void refuses_to_look_at_other_processes(void)
{
	open_host();
	const uint64_t self = (uint64_t)host.pid, minus = 0xffffffff;
	const uint64_t others[] = {(uint64_t)getpid(), 1, (uint64_t)-1, minus & (uint64_t)-host.pid, (uint64_t)-host.pid};
	const uint64_t time = data_address(&host, DATA_TIME);
	for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
		expect("kill", others[i], error_of(SYS_kill, others[i], 0, 0, 0, 0), EPERM);
		expect("tgkill", others[i], error_of(SYS_tgkill, others[i], self, 0, 0, 0), EPERM);
		expect("prlimit64", others[i], error_of(SYS_prlimit64, others[i], RLIMIT_DATA, 0, time, 0), EPERM);
		expect("sched_getaffinity", others[i], error_of(SYS_sched_getaffinity, others[i], 8, time, 0, 0), ENOSYS);
	}
	expect("kill of the group", 0, error_of(SYS_kill, 0, 0, 0, 0, 0), EPERM);
	expect("kill", self, error_of(SYS_kill, self, 0, 0, 0, 0), 0);
	expect("tgkill", self, error_of(SYS_tgkill, self, self, 0, 0, 0), 0);
	expect("prlimit64", 0, error_of(SYS_prlimit64, 0, RLIMIT_DATA, 0, time, 0), 0);
	expect("prlimit64 that sets", 0, error_of(SYS_prlimit64, 0, RLIMIT_DATA, time, 0, 0), EPERM);
	expect("sched_getaffinity", 0, error_of(SYS_sched_getaffinity, 0, 8, time, 0, 0), 0);

	const uint64_t own_clock = minus & (~self << 3 | 2), host_clock = minus & (~(uint64_t)getpid() << 3 | 2);
	memset(host.data + DATA_TIME, 0, sizeof(struct timespec));
	for (int64_t clock = -256; clock < 64; clock++) {
		uint64_t id = minus & (uint64_t)clock;
		bool is_system = clock >= 0 && clock < 16, is_thread = clock < 0 && clock & 4;
		expect("clock_getres", id, error_of(SYS_clock_getres, id, time, 0, 0, 0), is_system || is_thread ? 0 : EPERM);
		expect("clock_gettime", id, error_of(SYS_clock_gettime, id, time, 0, 0, 0), is_system || is_thread ? 0 : EPERM);
		memset(host.data + DATA_TIME, 0, sizeof(struct timespec));
		/* The kernel refuses alarms, too. */
		if ((clock & ~1) != ALARM_CLOCKS)
			expect("clock_nanosleep", id, error_of(SYS_clock_nanosleep, id, 0, time, 0, 0), is_system ? 0 : EPERM);
	}
	expect("clock_gettime", own_clock, error_of(SYS_clock_gettime, own_clock, time, 0, 0, 0), 0);
	expect("clock_gettime of the host", host_clock, error_of(SYS_clock_gettime, host_clock, time, 0, 0, 0), EPERM);
	expect("clock_nanosleep", own_clock, error_of(SYS_clock_nanosleep, own_clock, 0, time, 0, 0), EPERM);
	host_close(&host);
}

static int call_libc(const char *name, uint64_t a, uint64_t b, uint64_t c)
{
	return (int)host_call(&host, host_lookup(&host, name), ARGUMENTS(a, b, c), NULL);
}

/* What the filter's list was made for. */
static void locks_clocks_and_attributes_of_libc_work(void)
{
	open_host();
	const uint64_t object = data_address(&host, DATA_OBJECT), attributes = data_address(&host, DATA_ATTRIBUTES);
	const uint64_t until = data_address(&host, DATA_TIME), mutex = data_address(&host, DATA_WORD);
	struct timespec *deadline = (struct timespec *)(host.data + DATA_TIME);
	memset(host.data + DATA_SCRATCH, 0, 4096);

	CHECK_EQUAL(call_libc("pthread_mutex_lock", mutex, 0, 0), 0);
	clock_gettime(CLOCK_REALTIME, deadline);
	deadline->tv_nsec = (deadline->tv_nsec + 1000 * 1000) % 1000000000;
	CHECK_EQUAL(call_libc("pthread_mutex_timedlock", mutex, until, 0), ETIMEDOUT);
	CHECK_EQUAL(call_libc("pthread_cond_timedwait", object, mutex, until), ETIMEDOUT);
	CHECK_EQUAL(call_libc("pthread_cond_broadcast", object, 0, 0), 0);
	clock_gettime(CLOCK_MONOTONIC, deadline);
	CHECK_EQUAL((int)host_call(&host, host_lookup(&host, "pthread_cond_clockwait"),
				   ARGUMENTS(object, mutex, CLOCK_MONOTONIC, until), NULL),
		    ETIMEDOUT);
	CHECK_EQUAL(call_libc("sem_init", object, 0, 0), 0);
	CHECK_EQUAL(call_libc("sem_timedwait", object, until, 0), -1);
	CHECK_EQUAL(call_libc("sem_post", object, 0, 0), 0);
	CHECK_EQUAL(call_libc("sem_wait", object, 0, 0), 0);
	memset(host.data + DATA_OBJECT, 0, sizeof(pthread_rwlock_t));
	CHECK_EQUAL(call_libc("pthread_rwlock_rdlock", object, 0, 0), 0);
	CHECK_EQUAL(call_libc("pthread_rwlock_timedwrlock", object, until, 0), ETIMEDOUT);

	/* A robust mutex works; one that inherits priorities is refused by who makes it, not by who waits for it. */
	CHECK_EQUAL(call_libc("pthread_mutexattr_init", attributes, 0, 0), 0);
	CHECK_EQUAL(call_libc("pthread_mutexattr_setrobust", attributes, PTHREAD_MUTEX_ROBUST, 0), 0);
	CHECK_EQUAL(call_libc("pthread_mutex_init", object, attributes, 0), 0);
	CHECK_EQUAL(call_libc("pthread_mutex_lock", object, 0, 0), 0);
	CHECK_EQUAL(call_libc("pthread_mutexattr_setprotocol", attributes, PTHREAD_PRIO_INHERIT, 0), 0);
	CHECK_EQUAL(call_libc("pthread_mutex_init", object, attributes, 0), ENOTSUP);

	uint64_t thread = host_call(&host, host_lookup(&host, "pthread_self"), ARGUMENTS(0), NULL);
	CHECK_EQUAL(call_libc("pthread_getattr_np", thread, attributes, 0), 0);
	CHECK_EQUAL(call_libc("pthread_getcpuclockid", thread, object, 0), 0);
	CHECK_EQUAL(call_libc("clock_gettime", *(uint32_t *)(host.data + DATA_OBJECT), until, 0), 0);
	CHECK_EQUAL(call_libc("clock_getcpuclockid", (uint64_t)host.pid, object, 0), 0);
	CHECK_EQUAL(call_libc("clock_gettime", *(uint32_t *)(host.data + DATA_OBJECT), until, 0), 0);
	CHECK(call_libc("sysconf", _SC_NPROCESSORS_ONLN, 0, 0) > 0);
	host_close(&host);
}

const struct test_case filter_cases[] = {
	{"refuses-every-system-call-that-is-not-listed", refuses_every_system_call_that_is_not_listed},
	{"refuses-operations-on-futexes-but-those-of-locks", refuses_operations_on_futexes_but_those_of_locks},
	{"refuses-memory-that-is-not-private-and-plain", refuses_memory_that_is_not_private_and_plain},
	{"refuses-threads-that-are-more-than-threads", refuses_threads_that_are_more_than_threads},
	{"refuses-to-look-at-other-processes", refuses_to_look_at_other_processes},
	{"locks-clocks-and-attributes-of-libc-work", locks_clocks_and_attributes_of_libc_work},
	{0},
};
