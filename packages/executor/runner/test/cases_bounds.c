/* What the runner refuses of its host, and where its tables end. */
#include "host.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

extern const char add_one[];

/* Where the runner has nothing mapped: executables and libraries are far above. */
#define FREE_ADDRESS UINT64_C(0x10000000)

static void expect_fault(struct host *host, const char *words)
{
	int status = host_wait_end(host);
	CHECK(WIFEXITED(status));
	CHECK_EQUAL(WEXITSTATUS(status), 70);
	CHECK_EQUAL(host->control->end.kind, FARJIT_END_FAULT);
	if (!strstr(host->control->end.message, words))
		fail(__FILE__, __LINE__, host->control->end.message);
}

/* A runner that is refused its memory has none to say why in: it says so on standard error, which is nobody's here. */
static void expect_refusal(void (*prepare)(struct farjit_control *))
{
	struct host host;
	host_start(&host, (struct host_options){.prepare = prepare});
	int status = host_wait_end(&host);
	CHECK(WIFEXITED(status));
	CHECK_EQUAL(WEXITSTATUS(status), 70);
	CHECK_EQUAL(host.control->base, 0);
}

static void another_magic(struct farjit_control *control)
{
	control->header.magic++;
}

static void no_code(struct farjit_control *control)
{
	control->header.code_bytes = 0;
}

static void half_a_page_of_code(struct farjit_control *control)
{
	control->header.code_bytes += 2048;
}

static void no_room_for_frames(struct farjit_control *control)
{
	control->header.constant_bytes = 0;
}

static void an_index_of_half_a_page(struct farjit_control *control)
{
	control->header.frame_index_bytes = 2048;
}

static void no_index(struct farjit_control *control)
{
	control->header.frame_index_bytes = 0;
}

static void a_page_less_of_control(struct farjit_control *control)
{
	control->header.control_bytes -= 4096;
}

static void half_a_page_of_data(struct farjit_control *control)
{
	control->header.data_bytes += 1;
}

static void more_data_than_is_in_reach(struct farjit_control *control)
{
	control->header.data_bytes = UINT64_C(2) * 1024 * 1024 * 1024;
}

static void more_in_all_than_is_in_reach(struct farjit_control *control)
{
	control->header.data_bytes = UINT64_C(2) * 1024 * 1024 * 1024 - 64 * 1024 - control->header.code_bytes - control->header.constant_bytes -
			      control->header.control_bytes + 4096;
}

static void refuses_sizes_that_are_none(void)
{
	expect_refusal(another_magic);
	expect_refusal(no_code);
	expect_refusal(half_a_page_of_code);
	expect_refusal(no_room_for_frames);
	expect_refusal(an_index_of_half_a_page);
	expect_refusal(no_index);
	expect_refusal(a_page_less_of_control);
	expect_refusal(half_a_page_of_data);
	expect_refusal(more_data_than_is_in_reach);
	expect_refusal(more_in_all_than_is_in_reach);
}

static void as_much_as_is_in_reach(struct farjit_control *control)
{
	more_in_all_than_is_in_reach(control);
	control->header.data_bytes -= 4096;
}

static void no_data(struct farjit_control *control)
{
	control->header.data_bytes = 0;
}

static void takes_as_much_memory_as_is_in_reach(void)
{
	struct host host;
	host_start(&host, (struct host_options){.prepare = as_much_as_is_in_reach});
	host_expect(&host, FARJIT_BELL_HELLO);
	host_close(&host);
	host_start(&host, (struct host_options){.prepare = no_data});
	host_expect(&host, FARJIT_BELL_HELLO);
	host_close(&host);
}

static void refuses_bells_out_of_their_time(void)
{
	struct host host;
	host_open(&host);
	host_ring(&host, FARJIT_BELL_CONFINE, 0, 0);
	expect_fault(&host, "CONFINE twice");
	host_open(&host);
	host_ring(&host, FARJIT_BELL_PRELOAD, 0, 0);
	expect_fault(&host, "PRELOAD after CONFINE");
	host_open(&host);
	host_ring(&host, FARJIT_BELL_HELLO, 0, 0);
	expect_fault(&host, "unknown kind 1");
	CHECK_EQUAL(host.control->end.thread_id, host.pid);
}

/* A runner that waits for its doorbell, or finds it empty and full, as it is when somebody has made it so. */
static void open_with_doorbell(struct host *host, bool nonblocking)
{
	host_start(host, (struct host_options){.nonblocking = nonblocking});
	host_expect(host, FARJIT_BELL_HELLO);
	host_confine(host, 0);
}

static void hears_bells_that_come_in_pieces(void)
{
	for (int nonblocking = 0; nonblocking <= 1; nonblocking++) {
		struct host host;
		open_with_doorbell(&host, nonblocking);
		strcpy(host.control->names, "sin");
		const struct farjit_bell bells[] = {{.kind = FARJIT_BELL_LOOKUP, .value = 1}, {.kind = FARJIT_BELL_LOOKUP, .value = 1}};
		const size_t ends[] = {1, 7, 13, sizeof bells};
		size_t at = 0;
		for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
			CHECK(write(host.doorbell, (const char *)bells + at, ends[i] - at) == (ssize_t)(ends[i] - at));
			at = ends[i];
			usleep(10 * 1000);
		}
		host_expect(&host, FARJIT_BELL_DONE);
		host_expect(&host, FARJIT_BELL_DONE);
		CHECK(host.control->addresses[0] != 0);
		host_close(&host);
	}
}

/* Names of libraries, too. */
static void preloads_names_to_the_end_of_their_room(void)
{
	enum { ROOM = sizeof(((struct farjit_control *)NULL)->names) };
	for (int ends = 0; ends <= 1; ends++) {
		struct host host;
		host_start(&host, (struct host_options){0});
		host_expect(&host, FARJIT_BELL_HELLO);
		/* The first is a library; the second has all the rest, with or without its end. */
		memset(host.control->names, 'x', ROOM);
		strcpy(host.control->names, "libm.so.6");
		if (ends)
			host.control->names[ROOM - 1] = 0;
		host_ring(&host, FARJIT_BELL_PRELOAD, 0, 1);
		host_expect(&host, FARJIT_BELL_DONE);
		host_ring(&host, FARJIT_BELL_PRELOAD, 0, 2);
		expect_fault(&host, ends ? "cannot preload xxx" : "library 1 to preload is not terminated");
		/* That is cut off where its own room ends. */
		if (ends)
			CHECK_EQUAL(strnlen(host.control->end.message, FARJIT_END_MESSAGE_BYTES), FARJIT_END_MESSAGE_BYTES - 1);
	}
}

static void looks_up_names_to_the_end_of_their_room(void)
{
	enum { ROOM = sizeof(((struct farjit_control *)NULL)->names), MOST = sizeof(((struct farjit_control *)NULL)->addresses) / 8 };
	struct host host;
	host_open(&host);
	/* The last name ends with the room. */
	memset(host.control->names, 'x', ROOM);
	host.control->names[ROOM - 5] = host.control->names[ROOM - 1] = 0;
	memcpy(host.control->names + ROOM - 4, "sin", 4);
	host_ring(&host, FARJIT_BELL_LOOKUP, 0, 2);
	host_expect(&host, FARJIT_BELL_DONE);
	CHECK_EQUAL(host.control->addresses[0], 0);
	CHECK_EQUAL(host.control->addresses[1], host_lookup(&host, "sin"));
	/* More than there is room for: as many as there is. Of what has two words each, half. */
	for (uint16_t kind = FARJIT_BELL_LOOKUP;; kind = FARJIT_BELL_LOOKUP_THREAD_LOCALS) {
		memset(host.control->names, 'x', ROOM);
		memset(host.control->names, 0, MOST);
		memset(host.control->addresses, 0xff, sizeof host.control->addresses);
		host_ring(&host, kind, 0, MOST + 10);
		host_expect(&host, FARJIT_BELL_DONE);
		CHECK_EQUAL(host.control->addresses[MOST - 1], 0);
		for (int i = 0; i < ROOM; i++)
			CHECK_EQUAL(host.control->names[i], i < MOST ? 0 : 'x');
		if (kind == FARJIT_BELL_LOOKUP_THREAD_LOCALS)
			break;
	}
	/* One that does not end. */
	memset(host.control->names, 'x', ROOM);
	host_ring(&host, FARJIT_BELL_LOOKUP, 0, 1);
	expect_fault(&host, "name 0 of a lookup is not terminated");
}

static void ends_when_a_slot_is_in_a_state_that_there_is_not(void)
{
	struct host host;
	host_open(&host);
	host_post_call(&host, 0, trampoline(&host, 0), ARGUMENTS(0));
	host_set_reentry(&host, host_expect(&host, FARJIT_BELL_REENTER).slot, FARJIT_REENTRY_CLAIMED);
	expect_fault(&host, "went from POSTED to 1");
}

/* Counts once, with a threshold of 1; the counter is the word of that number in the page of data. */
static void count_in(struct host *host, uint32_t page, uint32_t word)
{
	uint32_t *words = (uint32_t *)(host->data + (size_t)page * FARJIT_COUNTER_PAGE_BYTES);
	memset(words, 0, FARJIT_COUNTER_PAGE_BYTES);
	words[0] = 1;
	host->control->hot_pending = 0;
	host_call(host, host->control->count_function,
		  ARGUMENTS(data_address(host, (size_t)page * FARJIT_COUNTER_PAGE_BYTES + word * sizeof *words)), NULL);
	host_expect(host, FARJIT_BELL_HOT);
	CHECK_EQUAL(words[FARJIT_HOT_BITS_OFFSET / sizeof *words + word / 32], UINT32_C(1) << word % 32);
	CHECK_EQUAL(host->control->hot_pages[page / 32] >> page % 32 & 1, 1);
}

static void tells_counters_of_any_page_and_word(void)
{
	const uint32_t words[] = {1, 31, 32, 63, 500, FARJIT_HOT_BITS_OFFSET / 4 - 1};
	struct host host;
	host_open(&host);
	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
		count_in(&host, 2, words[i]);
	count_in(&host, 31, 1);
	count_in(&host, 32, 1);
	count_in(&host, 33, 1);
	count_in(&host, DATA_BYTES / FARJIT_COUNTER_PAGE_BYTES - 1, 1);
	CHECK_EQUAL(host.control->hot_pages[0], UINT32_C(1) << 31 | 1 << 2);
	CHECK_EQUAL(host.control->hot_pages[1], 3);
	CHECK(!host_hears(&host, 50));
	/* Past the threshold nobody is told again, and before it nobody. */
	uint32_t *page = (uint32_t *)host.data;
	memset(page, 0, FARJIT_COUNTER_PAGE_BYTES);
	page[0] = 5;
	for (uint32_t count = 0; count < 10; count++)
		if (count != 4) {
			page[1] = count;
			host_call(&host, host.control->count_function, ARGUMENTS(data_address(&host, 4)), NULL);
			CHECK_EQUAL(page[1], count + 1);
		}
	CHECK_EQUAL(host.control->hot_pages[0] & 1, 0);
	host_close(&host);
}

/* Memory of the program's own, outside of the data part: there is no bit for its pages, be they the first behind those that
 * have bits. */
static void tells_of_no_counters_elsewhere(void)
{
	struct host host;
	host_open(&host);
	uint64_t map = host_lookup(&host, "mmap"), set = host_lookup(&host, "memset"), get = host_lookup(&host, "memcpy");
	const uint64_t pages[] = {FREE_ADDRESS, data_address(&host, 0) + (uint64_t)FARJIT_DATA_PAGES * FARJIT_COUNTER_PAGE_BYTES};
	for (size_t i = 0; i < sizeof pages / sizeof pages[0]; i++) {
		uint64_t page = pages[i];
		CHECK_EQUAL(host_call(&host, map,
				      ARGUMENTS(page, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, (uint64_t)-1, 0), NULL),
			    page);
		/* A threshold of 0x01010101, and a count that is one less. */
		host_call(&host, set, ARGUMENTS(page, 1, 12), NULL);
		host_call(&host, set, ARGUMENTS(page + 8, 0, 1), NULL);
		host_call(&host, host.control->count_function, ARGUMENTS(page + 8), NULL);
		host_call(&host, get, ARGUMENTS(data_address(&host, DATA_SCRATCH), page, 4096), NULL);
		const uint32_t *words = (const uint32_t *)(host.data + DATA_SCRATCH);
		CHECK_EQUAL(words[2], 0x01010101);
		CHECK_EQUAL(words[FARJIT_HOT_BITS_OFFSET / 4], 0);
		CHECK_EQUAL(host.control->hot_pending, 0);
		CHECK_EQUAL(host.control->reentry[0].state, FARJIT_REENTRY_FREE);
	}
	for (int i = 0; i < FARJIT_DATA_PAGES / 32; i++)
		CHECK_EQUAL(host.control->hot_pages[i], 0);
	host_close(&host);
}

/* Whoever rings waits until the host has heard what was rung before. */
static void ring_until_full(bool nonblocking)
{
	enum { MOST_BELLS = 100 * 1000, FULL_MS = 200 };
	struct host host;
	open_with_doorbell(&host, nonblocking);
	host_spawn(&host, 0);
	uint32_t rung = 0;
	for (; rung < MOST_BELLS; rung++) {
		host_post(&host, 0, add_one);
		const _Atomic uint32_t *state = &host.control->calls[0].state;
		for (int i = 0; *state != FARJIT_CALL_RETURNED && i < FULL_MS; i++)
			usleep(*state == FARJIT_CALL_POSTED && i > 100 ? 1000 : 0);
		if (*state != FARJIT_CALL_RETURNED)
			break;
	}
	CHECK(rung > 0 && rung < MOST_BELLS);
	/* The one that is posted is begun when the last has been rung. */
	for (uint32_t i = 0; i <= rung; i++)
		CHECK_EQUAL(host_expect(&host, FARJIT_BELL_CALL_DONE).slot, 0);
	CHECK_EQUAL(host_finish(&host, 0), FARJIT_CALL_RETURNED);
	CHECK(!host_hears(&host, 20));
	host_close(&host);
}

static void rings_on_when_the_doorbell_was_full(void)
{
	ring_until_full(false);
	ring_until_full(true);
}

const struct test_case bound_cases[] = {
	{"refuses-sizes-that-are-none", refuses_sizes_that_are_none},
	{"takes-as-much-memory-as-is-in-reach", takes_as_much_memory_as_is_in_reach},
	{"refuses-bells-out-of-their-time", refuses_bells_out_of_their_time},
	{"hears-bells-that-come-in-pieces", hears_bells_that_come_in_pieces},
	{"preloads-names-to-the-end-of-their-room", preloads_names_to_the_end_of_their_room},
	{"looks-up-names-to-the-end-of-their-room", looks_up_names_to_the_end_of_their_room},
	{"ends-when-a-slot-is-in-a-state-that-there-is-not", ends_when_a_slot_is_in_a_state_that_there_is_not},
	{"tells-counters-of-any-page-and-word", tells_counters_of_any_page_and_word},
	{"tells-of-no-counters-elsewhere", tells_of_no_counters_elsewhere},
	{"rings-on-when-the-doorbell-was-full", rings_on_when_the_doorbell_was_full},
	{0},
};
