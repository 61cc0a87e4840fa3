/*
 * Unwind information of JIT'd code, by an index in sealed memory: the host writes it before anything leads to the code,
 * so this process has nothing to do for new code. libgcc's own registry takes a lock, allocates, and is searched from
 * end to end.
 */
#include "runner.h"

#include <dlfcn.h>

typedef const void *find_fde(void *program_counter, struct dwarf_eh_bases *bases);

static bool was_asked;

static const void *note_question(void *program_counter, struct dwarf_eh_bases *bases)
{
	(void)program_counter, (void)bases;
	was_asked = true;
	return NULL;
}

static find_fde *find_other = note_question;
/* libgcc_s's, which asks for unwind information too. */
static void *(*find_enclosing)(void *program_counter);

void farjit_frames_initialize(void)
{
	find_enclosing = (void *(*)(void *))dlsym(RTLD_NEXT, "_Unwind_FindEnclosingFunction");
	/* Where libgcc_s keeps to its own, no exception would find its way through JIT'd code. */
	if (find_enclosing)
		find_enclosing(farjit_frames_initialize);
	if (!was_asked)
		farjit_fault("libgcc_s does not ask for unwind information by _Unwind_Find_FDE: this build of it does not serve");
	find_other = (find_fde *)dlsym(RTLD_NEXT, "_Unwind_Find_FDE");
	if (!find_other)
		farjit_fault("libgcc_s has no _Unwind_Find_FDE: %s", dlerror());
}

/* The record of the code at `offset`, copied, as the index has it now. False: there is none. */
static bool search(uint64_t offset, uint64_t code_bytes, struct farjit_frame_record *found)
{
	const _Atomic uint64_t *heads = farjit_frame_index->heads;
	for (unsigned shift = FARJIT_FRAME_CELL_SHIFT;; shift += FARJIT_FRAME_LEVEL_SHIFT) {
		uint64_t at = atomic_load_explicit(&heads[offset >> shift], memory_order_acquire);
		while (at != 0) {
			const struct farjit_frame_node *node = (const void *)(farjit_code_start + at);
			if (offset >= node->record.start && offset < node->record.end) {
				*found = node->record;
				return true;
			}
			at = atomic_load_explicit(&node->next, memory_order_acquire);
		}
		if ((code_bytes - 1) >> shift == 0)
			return false;
		heads += ((code_bytes - 1) >> shift) + 1;
	}
}

/* Whether the code there is a stub, or one of the trampolines behind them: they go on elsewhere at once. A thread is there only where
 * a signal has found it, which may be the one that cancels it. */
static bool is_of_stubs(uint64_t offset)
{
	const struct farjit_header *header = &farjit_control->header;
	return header->stub_bytes != 0 && offset >= header->stubs_offset;
}

__attribute__((visibility("default"))) const void *_Unwind_Find_FDE(void *program_counter, struct dwarf_eh_bases *bases)
{
	uint64_t offset = (uintptr_t)program_counter - farjit_code_start;
	uint64_t code_bytes = farjit_code_end - farjit_code_start;
	if (offset >= code_bytes)
		return find_other(program_counter, bases);
	if (is_of_stubs(offset)) {
		*bases = (struct dwarf_eh_bases){.function = program_counter};
		return farjit_abi_entry_frame;
	}
	struct farjit_frame_record record;
	uint64_t removals;
	bool found;
	do {
		/* A node is used again only after the count has changed: with the same count, what was read was whole. */
		removals = atomic_load(&farjit_frame_index->removals);
		found = search(offset, code_bytes, &record);
		atomic_thread_fence(memory_order_acquire);
	} while (atomic_load(&farjit_frame_index->removals) != removals);
	if (!found)
		return NULL;
	*bases = (struct dwarf_eh_bases){.function = (void *)(farjit_code_start + record.start)};
	return (const void *)(farjit_code_start + record.fde);
}

/* The stub that leads to a function is what everybody has for its address. One that no stub leads to any more keeps its code's. */
static void *stub_of(void *function)
{
	const struct farjit_header *header = &farjit_control->header;
	const _Atomic uint64_t *pointers = (const void *)(farjit_code_start + header->pointers_offset);
	uint64_t count = header->pointers_bytes / sizeof *pointers;
	uint64_t pointer;
	for (uint64_t i = 1; i < count && (pointer = atomic_load_explicit(&pointers[i], memory_order_relaxed)) != 0; i++)
		if (pointer == (uint64_t)function)
			return (void *)(farjit_code_start + header->stubs_offset + (i - 1) * header->stub_bytes);
	return function;
}

/* For who asks which function a frame is of, and compares that with addresses: a program, or a library. */
__attribute__((visibility("default"))) void *_Unwind_FindEnclosingFunction(void *program_counter)
{
	const struct farjit_header *header = &farjit_control->header;
	/* As libgcc_s takes it: a return address, behind the call. */
	uint64_t offset = (uintptr_t)program_counter - 1 - farjit_code_start;
	uint64_t into_stubs = offset - header->stubs_offset;
	bool is_in_code = offset < farjit_code_end - farjit_code_start;
	if (is_in_code && is_of_stubs(offset))
		/* A trampoline is no function. */
		return into_stubs < header->pointers_bytes / sizeof(uint64_t) * header->stub_bytes ?
			       (void *)(farjit_code_start + offset - into_stubs % header->stub_bytes) :
			       NULL;
	void *function = find_enclosing(program_counter);
	return function && is_in_code ? stub_of(function) : function;
}
