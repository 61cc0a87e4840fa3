/*
 * A library to preload: ways to hold memory that a limit might not see. Each function tries to hold `bytes` and what the
 * kernel keeps for it, and answers how often it got what it asked for.
 */
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum {
	PAGE_BYTES = 4096,
	CHUNK_BYTES = 1024 * 1024,
	/* What a page table covers. */
	TABLE_BYTES = 2 * 1024 * 1024,
	/* Longer than the host takes to look. */
	HOLD_MS = 3000,
};

static void nap(long ms)
{
	struct timespec left = {ms / 1000, ms % 1000 * 1000000};
	while (nanosleep(&left, &left) != 0)
		;
}

static void touch(volatile char *memory, size_t bytes)
{
	for (size_t at = 0; at < bytes; at += PAGE_BYTES)
		memory[at] = 1;
}

static char *map(size_t bytes, int rights, int flags)
{
	void *memory = mmap(NULL, bytes, rights, flags | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	return memory == MAP_FAILED ? NULL : memory;
}

/* Private memory that is written and then made read-only, so that RLIMIT_DATA does not count it. */
static int64_t fill(size_t bytes)
{
	int64_t got = 0;
	for (size_t done = 0; done < bytes; done += CHUNK_BYTES) {
		char *chunk = map(CHUNK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE);
		if (!chunk)
			break;
		touch(chunk, CHUNK_BYTES);
		if (mprotect(chunk, CHUNK_BYTES, PROT_READ) == 0)
			got++;
	}
	return got;
}

int64_t farjit_trick_read_only(size_t bytes);
int64_t farjit_trick_read_only(size_t bytes)
{
	int64_t got = fill(bytes);
	nap(HOLD_MS);
	return got;
}

/* Shared memory, of which nothing stays mapped but a page: the rest stays allocated. */
int64_t farjit_trick_shared(size_t bytes);
int64_t farjit_trick_shared(size_t bytes)
{
	int64_t got = 0;
	for (size_t done = 0; done < bytes; done += CHUNK_BYTES) {
		char *chunk = map(CHUNK_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED);
		if (!chunk)
			break;
		touch(chunk, CHUNK_BYTES);
		munmap(chunk + PAGE_BYTES, CHUNK_BYTES - PAGE_BYTES);
		got++;
	}
	nap(HOLD_MS);
	return got;
}

/* Memory that grows downwards, which is a stack and not data. */
int64_t farjit_trick_stack_map(size_t bytes);
int64_t farjit_trick_stack_map(size_t bytes)
{
	char *memory = map(bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_GROWSDOWN);
	if (!memory)
		return 0;
	touch(memory, bytes);
	nap(HOLD_MS);
	return 1;
}

/* Below the first thread's stack, which grows when it is touched. */
int64_t farjit_trick_first_stack(size_t bytes);
extern void *__libc_stack_end;
int64_t farjit_trick_first_stack(size_t bytes)
{
	for (size_t down = PAGE_BYTES; down < bytes; down += PAGE_BYTES)
		((volatile char *)__libc_stack_end)[-(ptrdiff_t)down] = 1;
	nap(HOLD_MS);
	return 1;
}

enum {
	/* The one that libc keeps for itself, and which its functions let no thread block and no program handle. */
	SIGSETXID = 33,
	/* Without it the kernel delivers no signal. */
	SA_RESTORER_FLAG = 0x04000000,
};

/* As rt_sigaction takes it. */
struct kernel_action {
	void (*handler)(int);
	unsigned long flags;
	void (*restorer)(void);
	uint64_t mask;
};

static void not_returned_from(void)
{
}

/* Has the first thread call a function that does not return. */
static void have_first_thread(void (*do_something)(int))
{
	struct kernel_action action = {do_something, SA_RESTORER_FLAG, not_returned_from, 0};
	syscall(SYS_rt_sigaction, SIGSETXID, &action, NULL, sizeof action.mask);
	syscall(SYS_tgkill, getpid(), getpid(), SIGSETXID);
	nap(200);
}

static void end_thread(int signal_number)
{
	(void)signal_number;
	syscall(SYS_exit, 0);
}

/* The first thread ends, and /proc says nothing of memory any more. */
int64_t farjit_trick_leader_exit(size_t bytes);
int64_t farjit_trick_leader_exit(size_t bytes)
{
	have_first_thread(end_thread);
	return farjit_trick_read_only(bytes);
}

static void take_name(int signal_number)
{
	(void)signal_number;
	prctl(PR_SET_NAME, "\rRssAnon:\t1");
	for (;;)
		nap(HOLD_MS);
}

/* The first thread's name, on the first line of what /proc says, looks like a line itself. */
int64_t farjit_trick_name(size_t bytes);
int64_t farjit_trick_name(size_t bytes)
{
	have_first_thread(take_name);
	return farjit_trick_read_only(bytes);
}

static struct {
	char *memory;
	size_t bytes;
	atomic_bool has_begun;
} contended;

static _Noreturn void *change_rights(void *ignored)
{
	(void)ignored;
	while (!contended.has_begun)
		nap(10);
	for (;;) {
		mprotect(contended.memory, contended.bytes, PROT_NONE);
		mprotect(contended.memory, contended.bytes, PROT_READ);
	}
}

/* Many threads wait for the lock of the process's memory, each to hold it for long; whoever else wants it is the last. */
int64_t farjit_trick_contention(size_t bytes);
int64_t farjit_trick_contention(size_t bytes)
{
	enum { THREADS = 200, STACK_BYTES = 64 * 1024 };
	contended.memory = map(bytes, PROT_READ, MAP_PRIVATE);
	contended.bytes = bytes;
	if (!contended.memory)
		return 0;
	for (size_t at = 0; at < bytes; at += PAGE_BYTES)
		(void)((volatile char *)contended.memory)[at];
	pthread_attr_t attributes;
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, STACK_BYTES);
	int64_t got = 0;
	for (pthread_t thread; got < THREADS && pthread_create(&thread, &attributes, change_rights, NULL) == 0;)
		got++;
	contended.has_begun = true;
	nap(3 * HOLD_MS);
	return got;
}

/* Mappings of a page each, beside memory. */
int64_t farjit_trick_mappings(size_t bytes);
int64_t farjit_trick_mappings(size_t bytes)
{
	int64_t got = fill(bytes);
	for (;;) {
		char *chunk = map(2 * CHUNK_BYTES, PROT_NONE, MAP_PRIVATE);
		if (!chunk)
			break;
		for (size_t at = 0; at < 2 * CHUNK_BYTES; at += 2 * PAGE_BYTES)
			if (mprotect(chunk + at, PAGE_BYTES, PROT_READ) == 0)
				got++;
			else
				goto hold;
	}
hold:
	nap(HOLD_MS);
	return got;
}

/* Page tables of memory that is only read, beside memory. */
int64_t farjit_trick_page_tables(size_t bytes);
int64_t farjit_trick_page_tables(size_t bytes)
{
	int64_t got = fill(bytes);
	for (size_t span = (size_t)1 << 30;;) {
		volatile char *memory = map(span, PROT_READ, MAP_PRIVATE);
		if (!memory)
			break;
		for (size_t at = 0; at < span; at += TABLE_BYTES, got++)
			(void)memory[at];
	}
	nap(HOLD_MS);
	return got;
}

/* The session's own memory, written, and dropped from the page tables: the file keeps it. */
int64_t farjit_trick_dropped(char *memory, size_t memory_bytes, size_t bytes);
int64_t farjit_trick_dropped(char *memory, size_t memory_bytes, size_t bytes)
{
	char *start = (char *)(((uintptr_t)memory + PAGE_BYTES - 1) & -(uintptr_t)PAGE_BYTES);
	touch(start, memory_bytes - PAGE_BYTES);
	if (madvise(start, memory_bytes - PAGE_BYTES, MADV_DONTNEED) != 0)
		return -1;
	return farjit_trick_read_only(bytes);
}

static _Noreturn void *sleep_for_ever(void *ignored)
{
	(void)ignored;
	for (;;)
		nap(HOLD_MS);
}

/* Stacks that the kernel keeps for threads, beside memory. */
int64_t farjit_trick_kernel_stacks(size_t bytes);
int64_t farjit_trick_kernel_stacks(size_t bytes)
{
	int64_t got = fill(bytes);
	pthread_attr_t attributes;
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, PTHREAD_STACK_MIN);
	pthread_attr_setguardsize(&attributes, 0);
	for (pthread_t thread; pthread_create(&thread, &attributes, sleep_for_ever, NULL) == 0;)
		got++;
	nap(HOLD_MS);
	return got;
}

/* Signals that wait to be delivered. */
int64_t farjit_trick_signals(size_t bytes);
int64_t farjit_trick_signals(size_t bytes)
{
	sigset_t blocked;
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGRTMIN);
	sigprocmask(SIG_BLOCK, &blocked, NULL);
	int64_t got = 0;
	for (size_t done = 0; done < bytes && syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), SIGRTMIN) == 0; done += 80)
		got++;
	return got;
}

static void *read_only_later(void *bytes)
{
	nap(1000);
	farjit_trick_read_only((size_t)bytes);
	return NULL;
}

/* A thread takes memory when no call runs. */
int64_t farjit_trick_later(size_t bytes);
int64_t farjit_trick_later(size_t bytes)
{
	pthread_t thread;
	return pthread_create(&thread, NULL, read_only_later, (void *)bytes) == 0;
}
