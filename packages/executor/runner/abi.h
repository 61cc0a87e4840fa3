/*
 * What one ABI provides: abi_<name>.S and abi_<name>.c. Everything that knows an instruction set is behind this.
 */
#ifndef FARJIT_ABI_H
#define FARJIT_ABI_H

#include <stdbool.h>
#include <stdint.h>
#include <ucontext.h>

/* Outermost JIT'd function of a thread. */
typedef uint64_t farjit_entry(void *argument);

/* Filled by farjit_enter; the assembly knows these offsets. */
struct farjit_boundary {
	/* Stack pointer in farjit_enter while it calls: the canonical frame address of the entry function. */
	uint64_t stack_pointer;
	/* What the entry function returned. */
	uint64_t result;
};

/* What trampolines call. Follows no C calling convention; never call it from C. */
extern const char farjit_resolver[];

/* Calls entry(argument): 0 when it returns (boundary->result is its answer), 1 when farjit_leave was called. */
int farjit_enter(struct farjit_boundary *boundary, farjit_entry *entry, void *argument);

/* Continues behind the farjit_enter that filled `boundary`, dropping every frame below it. Same thread. */
_Noreturn void farjit_leave(const struct farjit_boundary *boundary);

/* The resolver's C half: answers the landing address. The trampoline would be returned to behind its call, from which the host
 * knows it. Called by the resolver on any thread. */
uint64_t farjit_reenter(uint64_t return_address);

/* An FDE of code at which a function begins: nothing is on the stack but where its caller goes on. For that of any address, with
 * the address as its start. */
extern const void *const farjit_abi_entry_frame;

/* Prepares the resolver for this CPU. Once, before any JIT'd code. */
void farjit_abi_initialize(void);

/* Whether a relocation of a library makes a place in memory the address of a symbol. */
bool farjit_abi_is_function_pointer(uint32_t relocation);

/* What distances of thread-local variables are counted from. */
uint64_t farjit_abi_thread_pointer(void);

/* Copies the registers of a trap, each to the place that the ABI's enum in shared_layout.h has for it. Async-signal-safe. */
void farjit_abi_registers(const ucontext_t *context, uint64_t *registers);
/* Where some are in what it copies. Places up to the return address are DWARF's numbers. */
extern const struct farjit_abi_places {
	unsigned program_counter;
	unsigned stack_pointer;
	unsigned frame_pointer;
} farjit_abi_places;

#endif
