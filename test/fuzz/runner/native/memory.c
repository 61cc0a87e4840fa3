/* Ways to have memory, honest and not. */
#include "payload.h"

#include <sys/mman.h>
#include <unistd.h>

enum { PAGE_BYTES = 4096, STEP_BYTES = 4 * 1024 * 1024 };

void fuzz_touch(uint64_t address, uint64_t bytes)
{
	for (uint64_t at = 0; at < bytes; at += PAGE_BYTES)
		*(volatile uint64_t *)(address + at) = address + at;
}

static void *map(size_t bytes, int flags)
{
	void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | flags, -1, 0);
	return at == MAP_FAILED ? NULL : at;
}

/* Shared memory stays allocated as long as one page of it is mapped, and is seen where it is mapped. */
static void take_shared(size_t bytes)
{
	char *at = map(bytes, MAP_SHARED);
	if (!at)
		return;
	fuzz_touch((uint64_t)at, bytes);
	madvise(at, bytes, MADV_DONTNEED);
	if (bytes > PAGE_BYTES)
		munmap(at + PAGE_BYTES, bytes - PAGE_BYTES);
}

/* Pages of the session's memory, dropped from this process's view before they are many. */
static void take_session_memory(const struct program *program, size_t bytes)
{
	uint64_t at = program->words[FUZZ_WORD_DATA];
	uint64_t end = at + (bytes < program->words[FUZZ_WORD_DATA_BYTES] ? bytes : program->words[FUZZ_WORD_DATA_BYTES]);
	for (; at + STEP_BYTES <= end && !fuzz_is_over(program); at += STEP_BYTES) {
		fuzz_touch(at, STEP_BYTES);
		madvise((void *)at, STEP_BYTES, MADV_DONTNEED);
	}
}

/* Neighbours differ in their rights, so that each page is a mapping of its own. */
static void take_mappings(const struct program *program, size_t bytes)
{
	for (size_t taken = 0; taken < bytes && !fuzz_is_over(program); taken += STEP_BYTES) {
		char *at = mmap(NULL, STEP_BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		if (at == MAP_FAILED)
			return;
		for (size_t page = 0; page < STEP_BYTES; page += 2 * PAGE_BYTES)
			if (mprotect(at + page, PAGE_BYTES, PROT_READ) != 0)
				return;
	}
}

/* One page each 2 MiB: a page table for each. */
static void take_page_tables(const struct program *program, size_t bytes)
{
	const size_t span = UINT64_C(2) * 1024 * 1024;
	for (size_t taken = 0; taken < bytes && !fuzz_is_over(program); taken += 256 * PAGE_BYTES) {
		char *at = mmap(NULL, 256 * span, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		if (at == MAP_FAILED)
			return;
		/* Reading is enough: the page is the kernel's zero page, the table is not. */
		for (size_t i = 0; i < 256; i++)
			*(volatile char *)(at + i * span);
	}
}

static void take(uint8_t mode, size_t bytes)
{
	static const int flags[] = {
		MAP_PRIVATE, MAP_PRIVATE | MAP_GROWSDOWN, MAP_PRIVATE | MAP_NORESERVE, MAP_PRIVATE | MAP_HUGETLB,
		MAP_PRIVATE | MAP_LOCKED, MAP_PRIVATE | MAP_POPULATE, 0x08 /* MAP_DROPPABLE */,
	};
	void *at;
	switch (mode % FUZZ_GRABS) {
	case FUZZ_GRAB_SHARED:
		return take_shared(bytes);
	case FUZZ_GRAB_HEAP:
		at = sbrk((intptr_t)bytes);
		if (at != (void *)-1)
			fuzz_touch((uint64_t)at, bytes);
		return;
	case FUZZ_GRAB_PRIVATE:
		at = map(bytes, flags[mode / FUZZ_GRABS % (sizeof flags / sizeof flags[0])]);
		if (at)
			fuzz_touch((uint64_t)at, bytes);
	}
}

void fuzz_grab(struct program *program, uint8_t mode, uint32_t pages)
{
	size_t bytes = (size_t)pages * PAGE_BYTES;
	switch (mode % FUZZ_GRABS) {
	case FUZZ_GRAB_SESSION_MEMORY:
		return take_session_memory(program, bytes);
	case FUZZ_GRAB_MAPPINGS:
		return take_mappings(program, bytes);
	case FUZZ_GRAB_PAGE_TABLES:
		return take_page_tables(program, bytes);
	}
	for (size_t taken = 0; taken < bytes && !fuzz_is_over(program); taken += STEP_BYTES)
		take(mode, bytes - taken < STEP_BYTES ? bytes - taken : STEP_BYTES);
}
