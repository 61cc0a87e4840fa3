/* What the runner answers to unwinders: which unwind information code has, and which function a frame is of. */
#include "host.h"

#include <string.h>
#include <sys/wait.h>

/* What is found of the code there, 0 for nothing; where it begins in *start. */
static uint64_t find_frame(struct host *host, uint64_t find, uint64_t program_counter, uint64_t *start)
{
	uint64_t *bases = (uint64_t *)(host->data + DATA_SCRATCH);
	memset(bases, 0xff, 3 * sizeof *bases);
	uint64_t found = host_call(host, find, ARGUMENTS(program_counter, data_address(host, DATA_SCRATCH)), NULL);
	*start = bases[2];
	if (found != 0 && program_counter - host->control->base < CODE_BYTES)
		CHECK(bases[0] == 0 && bases[1] == 0);
	return found;
}

static void finds_frames_from_their_first_byte_to_their_last(void)
{
	struct host host;
	host_open(&host);
	uint64_t find = host_lookup(&host, "_Unwind_Find_FDE"), base = host.control->base, start;
	/* By levels: 256 cells of 4 KiB, 32, 4 and 1, each eight times as large. Two in one cell, and one in each level above. */
	const struct {
		uint32_t start, end, cell;
	} records[] = {{0x3000, 0x3001, 3},
		       {0x3001, 0x3fff, 3},
		       {0xff000, 0x100000, 255},
		       {0x8000, 0xf000, 256 + 1},
		       {0x40000, 0x70000, 256 + 32 + 1},
		       {0x10000, 0x11000, 256 + 32 + 4}};
	enum { COUNT = sizeof records / sizeof records[0], NODES = CODE_BYTES + CONSTANT_BYTES / 2 };
	struct farjit_frame_index *index = host_frame_index(&host);
	for (uint32_t i = 0; i < COUNT; i++) {
		size_t at = NODES + i * sizeof(struct farjit_frame_node);
		*(struct farjit_frame_node *)(host.code + at) = (struct farjit_frame_node){
			.record = {.start = records[i].start, .end = records[i].end, .fde = 100 + i, .cell = records[i].cell},
			.next = index->heads[records[i].cell],
		};
		index->heads[records[i].cell] = at;
	}
	for (uint32_t i = 0; i < COUNT; i++) {
		CHECK_EQUAL(find_frame(&host, find, base + records[i].start, &start), base + 100 + i);
		CHECK_EQUAL(start, base + records[i].start);
		CHECK_EQUAL(find_frame(&host, find, base + records[i].end - 1, &start), base + 100 + i);
	}
	const uint32_t nowhere[] = {0x2fff, 0x3fff, 0x4000, 0x7fff, 0xf000, 0xffff, 0x11000, 0x3ffff, 0x70000, 0xfefff};
	for (size_t i = 0; i < sizeof nowhere / sizeof nowhere[0]; i++)
		CHECK_EQUAL(find_frame(&host, find, base + nowhere[i], &start), 0);
	/* Beside the code part libgcc_s is asked, which knows the C library, and nothing of what is no code. */
	CHECK_EQUAL(find_frame(&host, find, base + CODE_BYTES, &start), 0);
	CHECK_EQUAL(find_frame(&host, find, base - 1, &start), 0);
	CHECK(find_frame(&host, find, host_lookup(&host, "qsort") + 1, &start) != 0);
	host_close(&host);
}

static void finds_no_frame_that_was_taken_out(void)
{
	struct host host;
	host_open(&host);
	publish_eh_frame(&host);
	forget_eh_frame(&host);
	host_post_call(&host, 0, trampoline(&host, 0), ARGUMENTS(0));
	host_unwind(&host, host_expect(&host, FARJIT_BELL_REENTER).slot, 1);
	CHECK(WIFEXITED(host_wait_end(&host)));
	CHECK_EQUAL(host.control->end.kind, FARJIT_END_UNWIND_FAILED);
}

enum {
	STUBS = CODE_BYTES / 4 * 3,
	STUB_BYTES = 8,
	POINTERS = CODE_BYTES + CONSTANT_BYTES / 4,
	/* One is the resolver's. */
	POINTER_COUNT = 4,
};

static void some_stubs(struct farjit_control *control)
{
	control->header.stubs_offset = STUBS;
	control->header.stub_bytes = STUB_BYTES;
	control->header.pointers_offset = POINTERS;
	control->header.pointers_bytes = POINTER_COUNT * sizeof(uint64_t);
}

/* A stub is a function, and a function's address is that of its stub. */
static void tells_functions_by_their_stubs(void)
{
	struct host host;
	host_start(&host, (struct host_options){.prepare = some_stubs});
	host_expect(&host, FARJIT_BELL_HELLO);
	host_confine(&host, 0);
	publish_eh_frame(&host);
	const uint64_t find = host_lookup(&host, "_Unwind_FindEnclosingFunction"), sort = host_lookup(&host, "qsort");
	const uint64_t base = host.control->base, stubs = base + STUBS;
	/* By the address behind a call. */
	const struct {
		uint64_t return_address, function;
	} frames[] = {
		{stubs, 0},
		{stubs + 1, stubs},
		{stubs + STUB_BYTES, stubs},
		{stubs + STUB_BYTES + 1, stubs + STUB_BYTES},
		{stubs + POINTER_COUNT * STUB_BYTES, stubs + (POINTER_COUNT - 1) * STUB_BYTES},
		{stubs + POINTER_COUNT * STUB_BYTES + 1, 0},
		{base, 0},
		{base + 1, base},
		{sort + 1, sort},
	};
	for (size_t i = 0; i < sizeof frames / sizeof frames[0]; i++)
		CHECK_EQUAL(host_call(&host, find, ARGUMENTS(frames[i].return_address), NULL), frames[i].function);
	const struct {
		uint64_t pointers[POINTER_COUNT + 1], code, function;
	} stubbed[] = {
		{{0, base, 0, 0, 0}, base, stubs},
		{{0, 1, base, 0, 0}, base, stubs + STUB_BYTES},
		{{0, 1, 2, base, 0}, base, stubs + 2 * STUB_BYTES},
		/* The resolver's, one behind the last, one behind those that are there, and another function's. */
		{{base, 0, 0, 0, 0}, base, base},
		{{0, 1, 2, 3, base}, base, base},
		{{0, 0, base, 0, 0}, base, base},
		{{0, base + 1, 0, 0, 0}, base, base},
		{{0, sort, 0, 0, 0}, sort, sort},
	};
	for (size_t i = 0; i < sizeof stubbed / sizeof stubbed[0]; i++) {
		memcpy(host.code + POINTERS, stubbed[i].pointers, sizeof stubbed[i].pointers);
		CHECK_EQUAL(host_call(&host, find, ARGUMENTS(stubbed[i].code + 1), NULL), stubbed[i].function);
	}
	host_close(&host);
}

const struct test_case frame_cases[] = {
	{"finds-frames-from-their-first-byte-to-their-last", finds_frames_from_their_first_byte_to_their_last},
	{"finds-no-frame-that-was-taken-out", finds_no_frame_that_was_taken_out},
	{"tells-functions-by-their-stubs", tells_functions_by_their_stubs},
	{0},
};
