/* Limits: set with confinement, and noticed where the kernel's refusal would say no name. */
#include "runner.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

enum {
	/* malloc asks the kernel for at least this much at a time. */
	ARENA_STEP_BYTES = 256 * 1024,
	/* SIGXCPU can be ignored; this many seconds later SIGKILL cannot. */
	CPU_GRACE_SECONDS = 1,
	/* What the control thread's stack can grow to, which RLIMIT_DATA does not count. */
	CONTROL_STACK_BYTES = 1024 * 1024,
	/* Signals with an order of their own that wait; each costs the kernel 80 bytes that nothing tells. */
	PENDING_SIGNALS = 1024,
	/* Against the host a runner weighs a ninth: the host serves all sessions, and a lone runner does not notice. */
	NICE = 10,
	/* What the host says where there is no limit. */
	UNLIMITED_DESCRIPTORS = 1024 * 1024,
	MAX_LIMIT = 4,
};

static atomic_bool noted[MAX_LIMIT + 1];
/* Why it does not weigh less than the host, and why the host may die before it; 0 when all is well. */
static int nice_errno;
static int oom_errno;

static int write_file(const char *path, const char *text)
{
	int descriptor = open(path, O_WRONLY | O_CLOEXEC);
	if (descriptor < 0)
		return errno;
	int error = write(descriptor, text, strlen(text)) < 0 ? errno : 0;
	close(descriptor);
	return error;
}

void farjit_yield_to_host(void)
{
	/* What a terminal's keys do is for the host to decide. In a session of its own it would have a share of the
	 * processor of its own, too, where the kernel groups processes by session: then NICE would weigh nothing.
	 * EPERM: whoever started it has given it one. */
	if (setpgid(0, 0) != 0 && errno != EPERM)
		farjit_fault("setpgid: %s", strerror(errno));
	errno = 0;
	nice_errno = nice(NICE) == -1 ? errno : 0;
	oom_errno = write_file("/proc/self/oom_score_adj", "1000");
}

void farjit_note_limit(enum farjit_limit limit)
{
	int saved_errno = errno;
	if (!atomic_exchange(&noted[limit], true))
		farjit_ring(FARJIT_BELL_LIMIT, 0, (uint32_t)limit);
	errno = saved_errno;
}

static void set(int resource, const char *name, uint64_t value, uint64_t grace)
{
	rlim_t soft = value >= UINT32_MAX && resource == RLIMIT_CPU ? RLIM_INFINITY : (rlim_t)value;
	rlim_t hard = soft == RLIM_INFINITY ? soft : soft + grace;
	struct rlimit limit, ours = {soft, hard};
	/* What is less already was the wish of whoever started the host. */
	if (getrlimit(resource, &limit) != 0)
		farjit_fault("cannot read the limit on %s: %s", name, strerror(errno));
	if (limit.rlim_max < ours.rlim_max)
		ours.rlim_max = limit.rlim_max;
	if (ours.rlim_max < ours.rlim_cur)
		ours.rlim_cur = ours.rlim_max;
	if (setrlimit(resource, &ours) != 0)
		farjit_fault("cannot set the limit on %s: %s", name, strerror(errno));
}

/* Threads for which JIT'd code asks no other size. */
static void set_stack_size(void)
{
	pthread_attr_t attributes;
	size_t bytes = farjit_control->header.thread_stack_bytes;
	if (pthread_attr_init(&attributes) != 0)
		return;
	if (bytes >= (size_t)PTHREAD_STACK_MIN && pthread_attr_setstacksize(&attributes, bytes) == 0)
		pthread_setattr_default_np(&attributes);
	pthread_attr_destroy(&attributes);
}

void farjit_set_limits(bool counts_alone)
{
	const struct farjit_confine *confine = &farjit_control->confine;
	set_stack_size();
	if (nice_errno != 0)
		farjit_note_missing("less weight than the host", strerror(nice_errno));
	if (oom_errno != 0)
		farjit_note_missing("dying before the host", strerror(oom_errno));
	set(RLIMIT_CORE, "core files", 0, 0);
	set(RLIMIT_FSIZE, "file size", confine->file_size_bytes, 0);
	set(RLIMIT_STACK, "the control thread's stack", CONTROL_STACK_BYTES, 0);
	set(RLIMIT_SIGPENDING, "signals that wait", PENDING_SIGNALS, 0);
	set(RLIMIT_NICE, "priority", 0, 0);
	set(RLIMIT_NOFILE, "descriptors", confine->descriptors, 0);
	set(RLIMIT_CPU, "CPU time", confine->cpu_seconds, CPU_GRACE_SECONDS);
	set(RLIMIT_AS, "address space", confine->address_space_bytes, 0);
	set(RLIMIT_DATA, "data", confine->data_bytes, 0);
	/* The kernel counts by user. The control thread and the workers come on top. */
	if (counts_alone && confine->threads < UINT32_MAX)
		set(RLIMIT_NPROC, "threads", (uint64_t)confine->threads + 1 + FARJIT_CALL_SLOT_COUNT, 0);
}

static bool can_map(size_t bytes, int rights)
{
	void *map = mmap(NULL, bytes, rights, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (map == MAP_FAILED)
		return false;
	munmap(map, bytes);
	return true;
}

void farjit_note_refused_memory(size_t bytes)
{
	int saved_errno = errno;
	struct rlimit limit;
	if (bytes < ARENA_STEP_BYTES)
		bytes = ARENA_STEP_BYTES;
	/* Address space is what even memory without rights needs; data is what only writable memory is. */
	if (!can_map(bytes, PROT_NONE)) {
		if (getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY)
			farjit_note_limit(FARJIT_LIMIT_ADDRESS_SPACE);
	} else if (!can_map(bytes, PROT_READ | PROT_WRITE)) {
		if (getrlimit(RLIMIT_DATA, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY)
			farjit_note_limit(FARJIT_LIMIT_DATA);
	}
	errno = saved_errno;
}

/* Says where a descriptor was refused, unless there is no limit but the kernel's. */
static void note_refused_descriptor(void)
{
	if (errno == EMFILE && farjit_control->confine.descriptors < UNLIMITED_DESCRIPTORS)
		farjit_note_limit(FARJIT_LIMIT_DESCRIPTORS);
}

static int noting_descriptor(int descriptor)
{
	if (descriptor < 0)
		note_refused_descriptor();
	return descriptor;
}

static void *noting_stream(void *stream)
{
	if (!stream)
		note_refused_descriptor();
	return stream;
}

int farjit_open(const char *path, int flags, mode_t mode)
{
	return noting_descriptor(open(path, flags, mode));
}

int farjit_openat(int folder, const char *path, int flags, mode_t mode)
{
	return noting_descriptor(openat(folder, path, flags, mode));
}

int farjit_dup(int descriptor)
{
	return noting_descriptor(dup(descriptor));
}

FILE *farjit_fopen(const char *path, const char *mode)
{
	return noting_stream(fopen(path, mode));
}

FILE *farjit_tmpfile(void)
{
	return noting_stream(tmpfile());
}

DIR *farjit_opendir(const char *path)
{
	return noting_stream(opendir(path));
}

static void *noting(void *block, size_t bytes)
{
	if (!block && bytes > 0 && errno == ENOMEM)
		farjit_note_refused_memory(bytes);
	return block;
}

/* What calloc and reallocarray ask for; the most there is when it overflows. */
static size_t product(size_t count, size_t bytes)
{
	size_t total;
	return __builtin_mul_overflow(count, bytes, &total) ? SIZE_MAX : total;
}

/* What a block asks for that may begin anywhere, to be aligned. */
static size_t with_alignment(size_t bytes, size_t alignment)
{
	size_t total;
	return __builtin_add_overflow(bytes, alignment, &total) ? SIZE_MAX : total;
}

void *farjit_malloc(size_t bytes)
{
	return noting(malloc(bytes), bytes);
}

void *farjit_calloc(size_t count, size_t bytes)
{
	return noting(calloc(count, bytes), product(count, bytes));
}

void *farjit_realloc(void *block, size_t bytes)
{
	return noting(realloc(block, bytes), bytes);
}

void *farjit_reallocarray(void *block, size_t count, size_t bytes)
{
	return noting(reallocarray(block, count, bytes), product(count, bytes));
}

void *farjit_aligned_alloc(size_t alignment, size_t bytes)
{
	return noting(aligned_alloc(alignment, bytes), with_alignment(bytes, alignment));
}

void *farjit_memalign(size_t alignment, size_t bytes)
{
	return noting(memalign(alignment, bytes), with_alignment(bytes, alignment));
}

/* To a page. */
void *farjit_valloc(size_t bytes)
{
	return noting(valloc(bytes), bytes);
}

/* Whole pages. */
void *farjit_pvalloc(size_t bytes)
{
	return noting(pvalloc(bytes), bytes);
}

int farjit_posix_memalign(void **block, size_t alignment, size_t bytes)
{
	int error = posix_memalign(block, alignment, bytes);
	if (error == ENOMEM)
		farjit_note_refused_memory(with_alignment(bytes, alignment));
	return error;
}

void *farjit_mmap(void *address, size_t bytes, int rights, int flags, int descriptor, long offset)
{
	void *map = mmap(address, bytes, rights, flags, descriptor, offset);
	if (map == MAP_FAILED && errno == ENOMEM)
		farjit_note_refused_memory(bytes);
	return map;
}

void *farjit_mremap(void *address, size_t old_bytes, size_t bytes, int flags, void *new_address)
{
	void *map = mremap(address, old_bytes, bytes, flags, new_address);
	if (map == MAP_FAILED && errno == ENOMEM)
		farjit_note_refused_memory(bytes);
	return map;
}
