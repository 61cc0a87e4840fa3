/* Limits of the kernel's and of the runner's own, and the stacks of threads. More than 400 lines: cases that share what stands before them. */
#include "host.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

extern const char add_one[], start_and_reenter[];

enum {
	MIB = 1024 * 1024,
	DATA_THREADS = DATA_SCRATCH,
	DATA_WANTED = DATA_SCRATCH + 512,
	DATA_GOT = DATA_SCRATCH + 1024,
	DATA_ANSWER = DATA_SCRATCH + 2048,
	GUARD_BYTES = 1024 * 1024,
};

static void open_with(struct host *host, void (*prepare)(struct farjit_control *))
{
	host_start(host, (struct host_options){.prepare = prepare});
	host_expect(host, FARJIT_BELL_HELLO);
	host_confine(host, 0);
}

static uint64_t call(struct host *host, const char *name, const uint64_t argument[6], int *error)
{
	return host_call(host, host_lookup(host, name), argument, error);
}

static uint64_t word(const struct host *host, size_t offset)
{
	return *(const uint64_t *)(host->data + offset);
}

static void little_memory(struct farjit_control *control)
{
	control->confine.address_space_bytes = UINT64_C(1024) * MIB;
	control->confine.data_bytes = UINT64_C(128) * MIB;
}

/* The bell of a limit, and no other. */
static void expect_limit(struct host *host, enum farjit_limit limit)
{
	CHECK_EQUAL(host_expect(host, FARJIT_BELL_LIMIT).value, limit);
	CHECK(!host_hears(host, 20));
}

static void check_refused(struct host *host, const char *name, const uint64_t argument[6], uint64_t answer)
{
	int error;
	CHECK_EQUAL(call(host, name, argument, &error), answer);
	CHECK_EQUAL(error, ENOMEM);
}

/* Each limit is told of once, and the program is answered as C says. */
static void names_the_limit_that_refuses_memory(void)
{
	const uint64_t much = UINT64_C(256) * MIB, too_much = UINT64_C(4096) * MIB, failed = UINT64_MAX;
	const uint64_t plain = MAP_PRIVATE | MAP_ANONYMOUS, none = UINT64_MAX, read_write = PROT_READ | PROT_WRITE;
	static const char *const names[] = {"malloc", "calloc", "realloc", "reallocarray", "aligned_alloc", "aligned_alloc",
					    "memalign", "memalign", "valloc", "pvalloc", "mmap", "mmap64", "mremap"};
	enum { FIRST_MAPPING = 10 };
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		for (int is_data = 0; is_data <= 1; is_data++) {
			const uint64_t bytes = is_data ? much : too_much;
			struct host host;
			open_with(&host, little_memory);
			uint64_t map = call(&host, "mmap", ARGUMENTS(0, 4096, read_write, plain, none, 0), NULL);
			const uint64_t arguments[][6] = {
				{bytes},
				{2, bytes / 2},
				{0, bytes},
				{0, 4, bytes / 4},
				{64, bytes},
				{bytes, 64},
				{64, bytes},
				{bytes, 64},
				{bytes},
				{bytes},
				{0, bytes, read_write, plain, none, 0},
				{0, bytes, read_write, plain, none, 0},
				{map, 4096, bytes, MREMAP_MAYMOVE},
			};
			uint64_t answer = i < FIRST_MAPPING ? 0 : failed;
			check_refused(&host, names[i], arguments[i], answer);
			expect_limit(&host, is_data ? FARJIT_LIMIT_DATA : FARJIT_LIMIT_ADDRESS_SPACE);
			check_refused(&host, names[i], arguments[i], answer);
			CHECK(!host_hears(&host, 20));
			host_close(&host);
		}
}

/* Where there is less left than malloc asks the kernel for, but not less than it was asked for. */
static void names_the_limit_that_refuses_a_little_memory(void)
{
	enum { PAGE = 4096, RESERVED_PAGES = 4096 };
	const uint64_t plain = MAP_PRIVATE | MAP_ANONYMOUS, none = UINT64_MAX, read_write = PROT_READ | PROT_WRITE;
	struct host host;
	int error;
	open_with(&host, little_memory);
	/* libc's own, of whose refusals nobody is told. */
	strcpy((char *)host.data + DATA_SCRATCH, "mmap");
	const uint64_t next = UINT64_MAX /* RTLD_NEXT */;
	const uint64_t map = host_call(&host, host_lookup(&host, "dlsym"), ARGUMENTS(next, data_address(&host, DATA_SCRATCH)), NULL);
	const uint64_t unmap = host_lookup(&host, "munmap"), make = host_lookup(&host, "malloc");
	/* The first block of a thread's takes more. */
	CHECK(host_call(&host, make, ARGUMENTS(1), NULL) != 0);
	uint64_t reserved = host_call(&host, map, ARGUMENTS(0, RESERVED_PAGES * PAGE, read_write, plain, none, 0), NULL);
	uint64_t block = 0, largest = 128 * MIB;
	for (uint64_t at = 0; at < RESERVED_PAGES; at += 2, largest = 2 * PAGE) {
		for (uint64_t bytes = largest; bytes >= PAGE;)
			if (host_call(&host, map, ARGUMENTS(0, bytes, read_write, plain, none, 0), NULL) == UINT64_MAX)
				bytes /= 2;
		CHECK(!host_hears(&host, 0));
		/* Two pages are left, which are no more than the block, and not what there is around it. */
		CHECK_EQUAL(host_call(&host, unmap, ARGUMENTS(reserved + at * PAGE, 2 * PAGE), NULL), 0);
		block = host_call(&host, make, ARGUMENTS(2 * PAGE), &error);
		if (block == 0)
			break;
	}
	CHECK(block == 0 && error == ENOMEM);
	expect_limit(&host, FARJIT_LIMIT_DATA);
	host_close(&host);
}

/* posix_memalign answers the error, and errno stays as it was. */
static void answers_errors_as_posix_does(void)
{
	struct host host;
	int error;
	open_with(&host, little_memory);
	const uint64_t where = data_address(&host, DATA_ANSWER);
	/* Here it is the alignment that is too much. */
	CHECK_EQUAL((uint32_t)call(&host, "posix_memalign", ARGUMENTS(where, UINT64_C(256) * MIB, 64), &error), ENOMEM);
	expect_limit(&host, FARJIT_LIMIT_DATA);
	CHECK_EQUAL((uint32_t)call(&host, "posix_memalign", ARGUMENTS(where, 3, 16), &error), EINVAL);
	CHECK_EQUAL((uint32_t)call(&host, "posix_memalign", ARGUMENTS(where, 64, 16), &error), 0);
	CHECK(word(&host, DATA_ANSWER) != 0 && word(&host, DATA_ANSWER) % 64 == 0);
	/* What no memory could be enough for is refused by the limit on address space, if by any. */
	check_refused(&host, "calloc", ARGUMENTS(UINT64_MAX, 2), 0);
	expect_limit(&host, FARJIT_LIMIT_ADDRESS_SPACE);
	host_close(&host);
	host_open(&host);
	check_refused(&host, "calloc", ARGUMENTS(UINT64_MAX, 2), 0);
	check_refused(&host, "malloc", ARGUMENTS(UINT64_MAX / 2), 0);
	CHECK(!host_hears(&host, 50));
	host_close(&host);
}

/* Soft and hard limit of the runner's. */
static void check_limit(struct host *host, int resource, uint64_t soft, uint64_t hard)
{
	CHECK_EQUAL(call(host, "getrlimit", ARGUMENTS((uint64_t)resource, data_address(host, DATA_ANSWER)), NULL), 0);
	CHECK_EQUAL(word(host, DATA_ANSWER), soft);
	CHECK_EQUAL(word(host, DATA_ANSWER + 8), hard);
}

static void some_limits(struct farjit_control *control)
{
	control->confine.cpu_seconds = 100;
	control->confine.descriptors = 9;
	control->confine.data_bytes = UINT64_C(512) * MIB;
	control->confine.address_space_bytes = UINT64_C(2048) * MIB;
}

/* From UINT32_MAX seconds on there is no limit. */
static void much_time(struct farjit_control *control)
{
	control->confine.cpu_seconds = UINT32_MAX - 1;
}

static void sets_limits_and_lifts_none(void)
{
	struct host host;
	open_with(&host, much_time);
	check_limit(&host, RLIMIT_CPU, UINT32_MAX - 1, UINT32_MAX);
	check_limit(&host, RLIMIT_AS, RLIM_INFINITY, RLIM_INFINITY);
	host_close(&host);
	host_open(&host);
	check_limit(&host, RLIMIT_CPU, RLIM_INFINITY, RLIM_INFINITY);
	host_close(&host);
	open_with(&host, some_limits);
	check_limit(&host, RLIMIT_CPU, 100, 101);
	check_limit(&host, RLIMIT_NOFILE, 9, 9);
	check_limit(&host, RLIMIT_DATA, UINT64_C(512) * MIB, UINT64_C(512) * MIB);
	check_limit(&host, RLIMIT_AS, UINT64_C(2048) * MIB, UINT64_C(2048) * MIB);
	check_limit(&host, RLIMIT_STACK, MIB, MIB);
	check_limit(&host, RLIMIT_SIGPENDING, 1024, 1024);
	check_limit(&host, RLIMIT_CORE, 0, 0);
	check_limit(&host, RLIMIT_FSIZE, 0, 0);
	check_limit(&host, RLIMIT_NICE, 0, 0);
	host_close(&host);
	/* What this process has less of, the runner has less of, too. */
	CHECK(setrlimit(RLIMIT_CPU, &(struct rlimit){100, 100}) == 0);
	CHECK(setrlimit(RLIMIT_DATA, &(struct rlimit){400u * MIB, 400u * MIB}) == 0);
	open_with(&host, some_limits);
	check_limit(&host, RLIMIT_CPU, 100, 100);
	check_limit(&host, RLIMIT_DATA, 400u * MIB, 400u * MIB);
	host_close(&host);
	host_open(&host);
	check_limit(&host, RLIMIT_CPU, 100, 100);
	check_limit(&host, RLIMIT_DATA, 400u * MIB, 400u * MIB);
	host_close(&host);
}

static void two_threads(struct farjit_control *control)
{
	control->confine.threads = 2;
}

/* Where the kernel counts a runner's threads by themselves: the control thread, one for each of the 64 calls, and the program's. */
static void limits_all_threads_where_they_are_counted_alone(void)
{
	struct host host;
	struct rlimit own;
	host_start(&host, (struct host_options){.prepare = two_threads});
	host_expect(&host, FARJIT_BELL_HELLO);
	uint32_t confinement = host_confine(&host, getuid() == 0 ? NOBODY : 0);
	if (confinement & (FARJIT_CONFINED_OWN_USER | FARJIT_CONFINED_USER_NAMESPACE)) {
		check_limit(&host, RLIMIT_NPROC, 67, 67);
	} else {
		CHECK(getrlimit(RLIMIT_NPROC, &own) == 0);
		check_limit(&host, RLIMIT_NPROC, own.rlim_cur, own.rlim_max);
	}
	host_close(&host);
}

/* Starts a thread that waits in a callback; answers the error. */
static uint32_t start_thread(struct host *host, size_t index, uint64_t attributes)
{
	return (uint32_t)call(host, "pthread_create",
			      ARGUMENTS(data_address(host, DATA_THREADS + 8 * index), attributes, payload(host, start_and_reenter),
					trampoline(host, 1)),
			      NULL);
}

static void end_thread(struct host *host, size_t index)
{
	host_release(host, host_expect(host, FARJIT_BELL_REENTER).slot, payload(host, add_one));
	CHECK_EQUAL(call(host, "pthread_join", ARGUMENTS(word(host, DATA_THREADS + 8 * index), 0), NULL), 0);
}

static void allows_as_many_threads_as_it_was_told(void)
{
	struct host host;
	open_with(&host, two_threads);
	CHECK_EQUAL(start_thread(&host, 0, 0), 0);
	CHECK_EQUAL(start_thread(&host, 1, 0), 0);
	CHECK_EQUAL(start_thread(&host, 2, 0), EAGAIN);
	CHECK_EQUAL(host_expect(&host, FARJIT_BELL_LIMIT).value, FARJIT_LIMIT_THREADS);
	CHECK_EQUAL(host.control->program_threads, 2);
	CHECK_EQUAL(start_thread(&host, 2, 0), EAGAIN);
	CHECK_EQUAL((uint32_t)call(&host, "thrd_create",
				   ARGUMENTS(data_address(&host, DATA_ANSWER), payload(&host, add_one), 1), NULL),
		    2 /* thrd_error */);
	/* In whichever order they came. */
	for (size_t i = 0; i < 2; i++)
		host_release(&host, host_expect(&host, FARJIT_BELL_REENTER).slot, payload(&host, add_one));
	for (size_t i = 0; i < 2; i++)
		CHECK_EQUAL(call(&host, "pthread_join", ARGUMENTS(word(&host, DATA_THREADS + 8 * i), 0), NULL), 0);
	CHECK_EQUAL(host.control->program_threads, 0);
	CHECK_EQUAL(start_thread(&host, 0, 0), 0);
	end_thread(&host, 0);
	CHECK(!host_hears(&host, 20));
	host_close(&host);
}

/* Attributes of a thread that runs: guard and stack. */
static void look_at_thread(struct host *host, uint64_t thread, uint64_t *guard, uint64_t *stack, uint64_t *bytes)
{
	uint64_t attributes = data_address(host, DATA_GOT), answer = data_address(host, DATA_ANSWER);
	memset(host->data + DATA_ANSWER, 0, 32);
	CHECK_EQUAL(call(host, "pthread_getattr_np", ARGUMENTS(thread, attributes), NULL), 0);
	CHECK_EQUAL(call(host, "pthread_attr_getguardsize", ARGUMENTS(attributes, answer), NULL), 0);
	CHECK_EQUAL(call(host, "pthread_attr_getstack", ARGUMENTS(attributes, answer + 8, answer + 16), NULL), 0);
	*guard = word(host, DATA_ANSWER);
	*stack = word(host, DATA_ANSWER + 8);
	*bytes = word(host, DATA_ANSWER + 16);
}

static void gives_threads_the_stacks_they_ask_for(void)
{
	struct host host;
	uint64_t guard, stack, bytes;
	host_open(&host);
	const uint64_t wanted = data_address(&host, DATA_WANTED);
	/* As large as calls have when nothing is asked for, with a guard that no frame jumps over; behind it is what libc keeps
	 * there, thread-local memory. */
	CHECK_EQUAL(start_thread(&host, 0, 0), 0);
	look_at_thread(&host, word(&host, DATA_THREADS), &guard, &stack, &bytes);
	CHECK_EQUAL(guard, GUARD_BYTES);
	CHECK_EQUAL(bytes, STACK_BYTES + FARJIT_THREAD_BYTES);
	end_thread(&host, 0);
	/* What is asked for, except for less of a guard. */
	for (int larger = 0; larger <= 1; larger++) {
		uint64_t guard_wanted = larger ? 2 * GUARD_BYTES : 4096;
		CHECK_EQUAL(call(&host, "pthread_attr_init", ARGUMENTS(wanted), NULL), 0);
		CHECK_EQUAL(call(&host, "pthread_attr_setguardsize", ARGUMENTS(wanted, guard_wanted), NULL), 0);
		CHECK_EQUAL(call(&host, "pthread_attr_setstacksize", ARGUMENTS(wanted, 5 * MIB), NULL), 0);
		CHECK_EQUAL(start_thread(&host, 0, wanted), 0);
		look_at_thread(&host, word(&host, DATA_THREADS), &guard, &stack, &bytes);
		CHECK_EQUAL(guard, larger ? guard_wanted : GUARD_BYTES);
		CHECK_EQUAL(bytes, 5 * MIB + FARJIT_THREAD_BYTES);
		end_thread(&host, 0);
	}
	/* The least that there may be is enough: thread-local memory is not a part of it. (libc may have a larger one left.) */
	CHECK_EQUAL(call(&host, "pthread_attr_init", ARGUMENTS(wanted), NULL), 0);
	CHECK_EQUAL(call(&host, "pthread_attr_setstacksize", ARGUMENTS(wanted, PTHREAD_STACK_MIN), NULL), 0);
	CHECK_EQUAL(start_thread(&host, 0, wanted), 0);
	look_at_thread(&host, word(&host, DATA_THREADS), &guard, &stack, &bytes);
	CHECK(bytes >= (uint64_t)PTHREAD_STACK_MIN + FARJIT_THREAD_BYTES);
	end_thread(&host, 0);
	/* A stack of the program's own stays where it is. */
	uint64_t own = call(&host, "mmap",
			    ARGUMENTS(0, MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, UINT64_MAX, 0), NULL);
	CHECK_EQUAL(call(&host, "pthread_attr_init", ARGUMENTS(wanted), NULL), 0);
	CHECK_EQUAL(call(&host, "pthread_attr_setstack", ARGUMENTS(wanted, own, MIB), NULL), 0);
	CHECK_EQUAL(start_thread(&host, 0, wanted), 0);
	look_at_thread(&host, word(&host, DATA_THREADS), &guard, &stack, &bytes);
	CHECK_EQUAL(stack, own);
	CHECK_EQUAL(bytes, MIB);
	end_thread(&host, 0);
	host_close(&host);
}

static void an_odd_stack(struct farjit_control *control)
{
	control->header.thread_stack_bytes = 100 * 1024 + 1;
}

static void no_stack(struct farjit_control *control)
{
	control->header.thread_stack_bytes = 0;
}

static void check_stack_of_calls(void (*prepare)(struct farjit_control *), uint64_t expected)
{
	struct host host;
	uint64_t guard, stack, bytes;
	open_with(&host, prepare);
	look_at_thread(&host, call(&host, "pthread_self", ARGUMENTS(0), NULL), &guard, &stack, &bytes);
	CHECK_EQUAL(bytes, expected + FARJIT_THREAD_BYTES);
	CHECK_EQUAL(stack % 4096, 0);
	host_close(&host);
}

static void gives_calls_stacks_of_whole_pages(void)
{
	check_stack_of_calls(an_odd_stack, 26 * 4096);
	check_stack_of_calls(no_stack, ((uint64_t)PTHREAD_STACK_MIN + 4095) & ~UINT64_C(4095));
	check_stack_of_calls(NULL, STACK_BYTES);
}

/* Threads of the program's begin with the signals and processors that were asked for; calls with none blocked. */
static void gives_threads_the_signals_they_ask_for(void)
{
	struct host host;
	host_open(&host);
	const uint64_t wanted = data_address(&host, DATA_WANTED), answer = data_address(&host, DATA_ANSWER);
	*(uint64_t *)(host.data + DATA_ANSWER) = UINT64_MAX;
	CHECK_EQUAL(call(&host, "pthread_sigmask", ARGUMENTS(SIG_BLOCK, 0, answer), NULL), 0);
	CHECK_EQUAL(word(&host, DATA_ANSWER), 0);
	CHECK_EQUAL(call(&host, "pthread_attr_init", ARGUMENTS(wanted), NULL), 0);
	memset(host.data + DATA_ANSWER, 0, 256);
	*(uint64_t *)(host.data + DATA_ANSWER) = UINT64_C(1) << (SIGUSR1 - 1);
	CHECK_EQUAL(call(&host, "pthread_attr_setsigmask_np", ARGUMENTS(wanted, answer), NULL), 0);
	CHECK_EQUAL(start_thread(&host, 0, wanted), 0);
	/* SIGUSR1 waits until the thread has ended: it would end the runner. */
	CHECK_EQUAL(call(&host, "pthread_kill", ARGUMENTS(word(&host, DATA_THREADS), SIGUSR1), NULL), 0);
	end_thread(&host, 0);
	CHECK_EQUAL(call(&host, "pthread_attr_destroy", ARGUMENTS(wanted), NULL), 0);
	/* Processors are given by a system call that no confined runner has: it is tried all the same. */
	cpu_set_t processors;
	CHECK_EQUAL(sched_getaffinity(0, sizeof processors, &processors), 0);
	int one = 0;
	while (!CPU_ISSET(one, &processors))
		one++;
	memset(host.data + DATA_ANSWER, 0, sizeof processors);
	CPU_SET(one, (cpu_set_t *)(host.data + DATA_ANSWER));
	CHECK_EQUAL(call(&host, "pthread_attr_init", ARGUMENTS(wanted), NULL), 0);
	CHECK_EQUAL(call(&host, "pthread_attr_setaffinity_np", ARGUMENTS(wanted, sizeof processors, answer), NULL), 0);
	uint32_t started = start_thread(&host, 0, wanted);
	CHECK_EQUAL(started, runner_is_confined ? EPERM : 0);
	if (started == 0) {
		memset(host.data + DATA_ANSWER, 0, sizeof processors);
		CHECK_EQUAL(call(&host, "pthread_getaffinity_np", ARGUMENTS(word(&host, DATA_THREADS), sizeof processors, answer), NULL), 0);
		CHECK_EQUAL(CPU_COUNT((cpu_set_t *)(host.data + DATA_ANSWER)), 1);
		end_thread(&host, 0);
	}
	host_close(&host);
}

const struct test_case limit_cases[] = {
	{"names-the-limit-that-refuses-memory", names_the_limit_that_refuses_memory},
	{"names-the-limit-that-refuses-a-little-memory", names_the_limit_that_refuses_a_little_memory},
	{"answers-errors-as-posix-does", answers_errors_as_posix_does},
	{"sets-limits-and-lifts-none", sets_limits_and_lifts_none},
	{"limits-all-threads-where-they-are-counted-alone", limits_all_threads_where_they_are_counted_alone},
	{"allows-as-many-threads-as-it-was-told", allows_as_many_threads_as_it_was_told},
	{"gives-threads-the-stacks-they-ask-for", gives_threads_the_stacks_they_ask_for},
	{"gives-calls-stacks-of-whole-pages", gives_calls_stacks_of_whole_pages},
	{"gives-threads-the-signals-they-ask-for", gives_threads_the_signals_they_ask_for},
	{0},
};
