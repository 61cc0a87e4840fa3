/* Start, lookup, plain calls, the ways a call can end. */
#include "host.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

extern const char call_c[], add_one[];

static void starts_maps_and_says_hello(void)
{
	struct host host;
	host_start(&host, (struct host_options){0});
	host_expect(&host, FARJIT_BELL_HELLO);
	CHECK_EQUAL(host.control->process_id, host.pid);
	CHECK(host.control->base != 0 && host.control->base % 4096 == 0);
	CHECK(host.control->resolver != 0);
	host_close(&host);
}

static void expect_fault(struct host *host, const char *words)
{
	int status = host_wait_end(host);
	CHECK(WIFEXITED(status));
	CHECK_EQUAL(WEXITSTATUS(status), 70);
	if (words) {
		CHECK_EQUAL(host->control->end.kind, FARJIT_END_FAULT);
		if (!strstr(host->control->end.message, words))
			fail(__FILE__, __LINE__, host->control->end.message);
	}
}

static void refuses_memory_that_is_not_sealed(void)
{
	struct host host;
	host_start(&host, (struct host_options){.unsealed = true});
	expect_fault(&host, NULL);
}

static void refuses_another_layout_version(void)
{
	struct host host;
	host_start(&host, (struct host_options){.layout_version = FARJIT_LAYOUT_VERSION + 1});
	expect_fault(&host, NULL);
}

static void refuses_an_unwinder_that_does_not_ask_it(void)
{
	struct host host;
	host_start(&host, (struct host_options){.preloaded = "deaf.so"});
	expect_fault(&host, NULL);
}

static void refuses_a_worker_before_confinement(void)
{
	struct host host;
	host_start(&host, (struct host_options){0});
	host_expect(&host, FARJIT_BELL_HELLO);
	host_spawn(&host, 0);
	expect_fault(&host, "SPAWN before CONFINE");
}

static void refuses_a_call_slot_that_does_not_exist(void)
{
	struct host host;
	host_open(&host);
	host_spawn(&host, FARJIT_CALL_SLOT_COUNT);
	expect_fault(&host, "no call slot");
}

static void runs_calls_one_after_the_other_on_one_worker(void)
{
	struct host host;
	host_open(&host);
	for (uint64_t i = 0; i < 100; i++)
		CHECK_EQUAL(host_call(&host, payload(&host, add_one), ARGUMENTS(i), NULL), i + 1);
	host_close(&host);
}

static void takes_a_call_posted_before_its_worker_exists(void)
{
	struct host host;
	host_open(&host);
	for (uint32_t slot = 0; slot < FARJIT_CALL_SLOT_COUNT; slot += 21) {
		struct call_c *block = call_block(&host, slot);
		block->function = payload(&host, add_one);
		block->errno_location = host.errno_location;
		block->argument[0] = 6;
		host_post(&host, slot, call_c);
		host_spawn(&host, slot);
		CHECK_EQUAL(host_expect(&host, FARJIT_BELL_CALL_DONE).slot, slot);
		CHECK_EQUAL(host.control->calls[slot].state, FARJIT_CALL_RETURNED);
		CHECK(host.control->calls[slot].thread_id != 0);
		CHECK_EQUAL(block->result, 7);
	}
	host_close(&host);
}

static void looks_up_own_symbols_then_the_c_library(void)
{
	struct host host;
	host_open(&host);
	static const char names[] = "sin\0putchard\0there_is_no_such_function\0printd\0atexit\0pthread_create\0main\0printf\0errno";
	memcpy(host.control->names, names, sizeof names);
	host_ring(&host, FARJIT_BELL_LOOKUP, FARJIT_LIBRARY_KALEIDOSCOPE, 9);
	host_expect(&host, FARJIT_BELL_DONE);
	const uint64_t *addresses = host.control->addresses;
	CHECK(addresses[0] != 0);
	CHECK(addresses[1] != 0);
	CHECK_EQUAL(addresses[2], 0);
	CHECK(addresses[3] != 0);
	CHECK(addresses[4] != 0);
	CHECK(addresses[5] != 0);
	/* The runner's own functions are nobody's to link to. */
	CHECK_EQUAL(addresses[6], 0);
	CHECK(addresses[7] != 0);
	/* Each thread has its own. */
	CHECK_EQUAL(addresses[8], 0);

	/* What is the runner's own is not what the C library has under that name; what only programs have is there, too. */
	static const char *const own[] = {"pthread_create", "thrd_create", "malloc", "calloc", "realloc", "reallocarray",
					  "aligned_alloc", "memalign", "valloc", "pvalloc", "posix_memalign", "mmap", "mmap64", "mremap", "dlsym"};
	const uint64_t next = UINT64_MAX /* RTLD_NEXT */, find = host_lookup(&host, "dlsym");
	for (size_t i = 0; i < sizeof own / sizeof own[0]; i++) {
		strcpy((char *)host.data + DATA_SCRATCH, own[i]);
		uint64_t of_libc = host_call(&host, find, ARGUMENTS(next, data_address(&host, DATA_SCRATCH)), NULL);
		uint64_t found = host_lookup(&host, own[i]);
		if (found == 0 || of_libc == 0 || found == of_libc)
			fail(__FILE__, __LINE__, own[i]);
	}
	CHECK(host_lookup(&host, "at_quick_exit") != 0);
	CHECK(host_lookup(&host, "pthread_atfork") != 0);
	CHECK(host_lookup(&host, "farjit$replace$malloc") != 0);
	CHECK_EQUAL(host_lookup(&host, "farjit$replace$"), 0);
	CHECK_EQUAL(host_lookup(&host, "replace$malloc"), 0);

	struct call_c *block = call_block(&host, 0);
	memset(block, 0, sizeof *block);
	block->real[0] = 0.5;
	block->errno_location = host.errno_location;
	block->function = host_lookup(&host, "sin");
	host_post(&host, 0, call_c);
	host_expect(&host, FARJIT_BELL_CALL_DONE);
	CHECK(block->real_result > 0.4794 && block->real_result < 0.4795);
	host_close(&host);
}

static void finds_a_library_only_where_it_was_asked_for(void)
{
	struct host host;
	host_open(&host);
	CHECK_EQUAL(host_lookup_in(&host, 0, "putchard"), 0);
	CHECK_EQUAL(host_lookup_in(&host, 0, "printd"), 0);
	CHECK(host_lookup_in(&host, 0, "sin") != 0);
	CHECK(host_lookup_in(&host, 0, "malloc") != 0);
	CHECK(host_lookup_in(&host, FARJIT_LIBRARY_KALEIDOSCOPE, "putchard") != 0);
	host_close(&host);
}

static void refuses_a_library_that_it_does_not_have(void)
{
	struct host host;
	host_open(&host);
	host_ring(&host, FARJIT_BELL_LOOKUP, 1u << 15 | FARJIT_LIBRARY_KALEIDOSCOPE, 1);
	expect_fault(&host, "this runner has no libraries 0x8000");
}

static void prints_before_it_reports_the_call_done(void)
{
	struct host host;
	host_open(&host);
	struct call_c *block = call_block(&host, 0);
	block->errno_location = host.errno_location;
	uint64_t putchard = host_lookup(&host, "putchard"), printd = host_lookup(&host, "printd");
	host_spawn(&host, 0);
	block->function = putchard;
	block->real[0] = 'a';
	host_post(&host, 0, call_c);
	host_expect(&host, FARJIT_BELL_CALL_DONE);
	CHECK(block->real_result == 0);
	host_finish(&host, 0);
	host_drain_output(&host);
	CHECK(strcmp(host.printed, "a") == 0);
	block->function = printd;
	block->real[0] = 1.25;
	host_post(&host, 0, call_c);
	host_expect(&host, FARJIT_BELL_CALL_DONE);
	host_drain_output(&host);
	CHECK(strcmp(host.printed, "a1.250000\n") == 0);
	host_close(&host);
}

/* Ends the runner with text still in stdout's buffer. */
static int end_by(const char *name, uint64_t argument, struct host *host)
{
	host_open(host);
	host_post_print_and_call(host, "partial", host_lookup(host, name), ARGUMENTS(argument));
	return host_wait_end(host);
}

/* Numbers that are no characters, and no integers. */
static void prints_characters_of_any_number(void)
{
	static const double numbers[] = {65.9, 256 + 66, -256 + 67, 1e300, -1e300, INFINITY, NAN, 2147483648.0, -2147483649.0, 68};
	static const char characters[] = {'A', 'B', 'C', 0, 0, 0, 0, 0, 0, 'D'};
	struct host host;
	host_open(&host);
	host_spawn(&host, 0);
	for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
		struct call_c *block = call_block(&host, 0);
		*block = (struct call_c){.function = host_lookup(&host, "putchard"), .vector_count = 1, .real = {numbers[i]},
					 .errno_location = host.errno_location};
		host_post(&host, 0, call_c);
		host_expect(&host, FARJIT_BELL_CALL_DONE);
		host_finish(&host, 0);
	}
	host_drain_output(&host);
	CHECK_EQUAL(host.printed_bytes, sizeof characters);
	CHECK(memcmp(host.printed, characters, sizeof characters) == 0);
	host_close(&host);
}

static void exit_7_is_exit_status_7(void)
{
	struct host host;
	int status = end_by("exit", 7, &host);
	CHECK(WIFEXITED(status));
	CHECK_EQUAL(WEXITSTATUS(status), 7);
	CHECK_EQUAL(host.control->end.kind, FARJIT_END_NONE);
	CHECK(strcmp(host.printed, "partial") == 0);
}

static void abort_is_sigabrt(void)
{
	struct host host;
	int status = end_by("abort", 0, &host);
	CHECK(WIFSIGNALED(status));
	CHECK_EQUAL(WTERMSIG(status), SIGABRT);
	CHECK_EQUAL(host.control->end.kind, FARJIT_END_NONE);
}

static void a_call_that_ends_its_thread_is_a_fault(void)
{
	struct host host;
	host_open(&host);
	host_post_call(&host, 2, host_lookup(&host, "pthread_exit"), ARGUMENTS(0));
	/* pthread_exit unwinds through the call. */
	expect_fault(&host, "the call in slot 2");
}

static void a_call_that_closes_the_doorbell_is_a_fault(void)
{
	struct host host;
	host_open(&host);
	host_post_call(&host, 0, host_lookup(&host, "close"), ARGUMENTS(FARJIT_FD_DOORBELL));
	expect_fault(&host, "closed the runner's doorbell");
}

static void ends_when_the_doorbell_closes(void)
{
	struct host host;
	int status;
	host_open(&host);
	host_spawn(&host, 0);
	close(host.doorbell);
	CHECK(waitpid(host.pid, &status, 0) == host.pid);
	CHECK(WIFEXITED(status));
}

static void dies_with_its_host(void)
{
	/* The host is a process of its own, and this one holds a second end of everything, so that only the
	 * parent's death can tell. As root the runner changes its user, which makes the kernel forget. */
	int pids[2];
	CHECK(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
	CHECK(pipe(pids) == 0);
	struct host host;
	pid_t parent = fork();
	if (parent == 0) {
		host_start(&host, (struct host_options){0});
		host_expect(&host, FARJIT_BELL_HELLO);
		host_confine(&host, getuid() == 0 ? NOBODY : 0);
		/* A child that keeps the doorbell open. */
		pid_t keeper = fork();
		if (keeper == 0) {
			alarm(2 * PATIENCE_MS / 1000); /* leaves nothing behind when the case fails */
			pause();
			_exit(0);
		}
		CHECK(write(pids[1], &(pid_t[2]){host.pid, keeper}, 2 * sizeof(pid_t)) > 0);
		pause();
		_exit(0);
	}
	pid_t started[2];
	int status;
	CHECK(read(pids[0], started, sizeof started) == sizeof started);
	kill(parent, SIGKILL);
	CHECK(waitpid(parent, &status, 0) == parent);
	CHECK(waitpid(started[0], &status, 0) == started[0]);
	CHECK(WIFSIGNALED(status));
	CHECK_EQUAL(WTERMSIG(status), SIGKILL);
	kill(started[1], SIGKILL);
	CHECK(waitpid(started[1], &status, 0) == started[1]);
}

static void synchronises_cores_on_the_hosts_word(void)
{
	struct host host;
	host_open(&host);
	host_ring(&host, FARJIT_BELL_SYNC_CORE, 0, 0);
	host_expect(&host, FARJIT_BELL_DONE);
	CHECK_EQUAL(host_call(&host, payload(&host, add_one), ARGUMENTS(1), NULL), 2);
	host_close(&host);
}

/* A page of counters with a threshold of 3: a bit for each third count, one bell until the host has heard, errno as it was. */
static void rings_once_for_counters_that_reach_their_threshold(void)
{
	struct host host;
	enum { COUNTER = DATA_SCRATCH + 8, OTHER = DATA_SCRATCH + 4 * 100 };
	host_open(&host);
	CHECK(host.control->count_function != 0);
	uint32_t *page = (uint32_t *)(host.data + DATA_SCRATCH);
	uint32_t *bits = (uint32_t *)(host.data + DATA_SCRATCH + FARJIT_HOT_BITS_OFFSET);
	memset(page, 0, FARJIT_COUNTER_PAGE_BYTES);
	page[0] = 3;
	const size_t counters[] = {COUNTER, OTHER};
	for (int i = 0; i < 2; i++)
		for (uint32_t count = 1; count <= 5; count++) {
			int error = -1;
			host_call(&host, host.control->count_function, ARGUMENTS(data_address(&host, counters[i])), &error);
			CHECK_EQUAL(error, 0);
			CHECK_EQUAL(*(uint32_t *)(host.data + counters[i]), count);
			CHECK_EQUAL(bits[0], i == 1 || count >= 3 ? 1u << 2 : 0);
			CHECK_EQUAL(bits[100 / 32], i == 1 && count >= 3 ? 1u << 100 % 32 : 0);
		}
	CHECK_EQUAL(host.control->hot_pages[0], 1u << DATA_SCRATCH / FARJIT_COUNTER_PAGE_BYTES);
	CHECK_EQUAL(host.control->hot_pending, 1);
	host_expect(&host, FARJIT_BELL_HOT);
	CHECK(!host_hears(&host, 50));
	host.control->hot_pending = 0;
	*(uint32_t *)(host.data + COUNTER) = 2;
	host_call(&host, host.control->count_function, ARGUMENTS(data_address(&host, COUNTER)), NULL);
	host_expect(&host, FARJIT_BELL_HOT);
	host_close(&host);
}

const struct test_case call_cases[] = {
	{"starts-maps-and-says-hello", starts_maps_and_says_hello},
	{"refuses-memory-that-is-not-sealed", refuses_memory_that_is_not_sealed},
	{"refuses-another-layout-version", refuses_another_layout_version},
	{"refuses-an-unwinder-that-does-not-ask-it", refuses_an_unwinder_that_does_not_ask_it},
	{"refuses-a-worker-before-confinement", refuses_a_worker_before_confinement},
	{"refuses-a-call-slot-that-does-not-exist", refuses_a_call_slot_that_does_not_exist},
	{"runs-calls-one-after-the-other-on-one-worker", runs_calls_one_after_the_other_on_one_worker},
	{"takes-a-call-posted-before-its-worker-exists", takes_a_call_posted_before_its_worker_exists},
	{"looks-up-own-symbols-then-the-c-library", looks_up_own_symbols_then_the_c_library},
	{"finds-a-library-only-where-it-was-asked-for", finds_a_library_only_where_it_was_asked_for},
	{"refuses-a-library-that-it-does-not-have", refuses_a_library_that_it_does_not_have},
	{"prints-before-it-reports-the-call-done", prints_before_it_reports_the_call_done},
	{"prints-characters-of-any-number", prints_characters_of_any_number},
	{"exit-7-is-exit-status-7", exit_7_is_exit_status_7},
	{"abort-is-sigabrt", abort_is_sigabrt},
	{"a-call-that-ends-its-thread-is-a-fault", a_call_that_ends_its_thread_is_a_fault},
	{"a-call-that-closes-the-doorbell-is-a-fault", a_call_that_closes_the_doorbell_is_a_fault},
	{"ends-when-the-doorbell-closes", ends_when_the_doorbell_closes},
	{"dies-with-its-host", dies_with_its_host},
	{"synchronises-cores-on-the-hosts-word", synchronises_cores_on_the_hosts_word},
	{"rings-once-for-counters-that-reach-their-threshold", rings_once_for_counters_that_reach_their_threshold},
	{0},
};
