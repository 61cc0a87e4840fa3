/* Who has called, for reports of traps: in a signal handler, on a stack that may be in any state. */
#include "runner.h"

#include <string.h>

static bool in_code(uint64_t address)
{
	return address >= farjit_code_start && address < farjit_code_end;
}

bool farjit_read_stack(const struct farjit_thread *thread, uint64_t address, uint64_t *value)
{
	if (address % sizeof *value != 0 || address < thread->stack_start || address > thread->stack_end - sizeof *value)
		return false;
	*value = *(const uint64_t *)address;
	return true;
}

/* A call to nowhere: the return address is all there is on the stack. */
static bool step_out_of_nowhere(struct farjit_frame *frame, const struct farjit_thread *thread)
{
	uint64_t *program_counter = &frame->registers[farjit_abi_places.program_counter];
	uint64_t *stack_pointer = &frame->registers[farjit_abi_places.stack_pointer];
	uint64_t return_address;
	if (frame->is_caller || in_code(*program_counter) ||
	    !farjit_read_stack(thread, *stack_pointer, &return_address) || !in_code(return_address))
		return false;
	*program_counter = return_address;
	*stack_pointer += sizeof return_address;
	return true;
}

/* By frame pointers, where there is no unwind information. */
static bool step_by_frame_pointer(struct farjit_frame *frame, const struct farjit_thread *thread)
{
	uint64_t *frame_pointer = &frame->registers[farjit_abi_places.frame_pointer];
	uint64_t *stack_pointer = &frame->registers[farjit_abi_places.stack_pointer];
	uint64_t record = *frame_pointer;
	uint64_t *program_counter = &frame->registers[farjit_abi_places.program_counter];
	/* Up the stack, so it has an end. */
	if (record < *stack_pointer || !farjit_read_stack(thread, record + sizeof record, program_counter) ||
	    !farjit_read_stack(thread, record, frame_pointer))
		return false;
	*stack_pointer = record + 2 * sizeof record;
	return true;
}

uint32_t farjit_walk_frames(const struct farjit_thread *thread, const uint64_t *registers, uint64_t *frames)
{
	uint32_t count = 0;
	if (!thread || thread->stack_end < thread->stack_start + 2 * sizeof(uint64_t))
		return 0;
	struct farjit_frame frame = {0};
	memcpy(frame.registers, registers, sizeof frame.registers);
	while (count < FARJIT_TRAP_FRAME_COUNT) {
		if (!farjit_cfi_step(&frame, thread)) {
			if (!step_out_of_nowhere(&frame, thread) && !step_by_frame_pointer(&frame, thread))
				return count;
			frame.is_caller = true;
		}
		frames[count++] = frame.registers[farjit_abi_places.program_counter];
		/* The runner's own frame, below which the thread has run JIT'd code. */
		if (thread->boundary && frame.registers[farjit_abi_places.stack_pointer] == thread->boundary->stack_pointer)
			return count;
	}
	return count;
}
