/* x86-64 System V: what the assembly needs to know about this CPU, and the layout of a trap's registers. */
#include "abi.h"
#include "shared_layout.h"

#include <cpuid.h>
#include <immintrin.h>

/* Components of the extended state that can hold arguments: x87, SSE, AVX, opmask, ZMM_Hi256, Hi16_ZMM. AMX
 * tiles are left out: no calling convention passes them, and they would cost 8 KiB of stack a callback. */
#define ARGUMENT_STATE 0xe7u

enum {
	/* Legacy area and header, before the first extended component. */
	XSAVE_LEGACY_BYTES = 576,
	FXSAVE_BYTES = 512,
	CPUID_FEATURES = 1,
	CPUID_XSAVE = 0xd,
};

/* State-component bit map for XSAVE, 0 for FXSAVE; bytes the area takes. Read by farjit_resolver. */
uint64_t farjit_xsave_mask __attribute__((visibility("hidden")));
uint64_t farjit_xsave_bytes __attribute__((visibility("hidden")));

__attribute__((target("xsave"))) static uint64_t enabled_state(void)
{
	return _xgetbv(0);
}

void farjit_abi_initialize(void)
{
	uint32_t eax, ebx, ecx, edx;
	farjit_xsave_mask = 0;
	farjit_xsave_bytes = FXSAVE_BYTES;
	if (!__get_cpuid(CPUID_FEATURES, &eax, &ebx, &ecx, &edx) || !(ecx & bit_OSXSAVE))
		return;
	uint64_t mask = enabled_state() & ARGUMENT_STATE;
	uint64_t bytes = XSAVE_LEGACY_BYTES;
	for (uint32_t component = 2; component < 64; component++) {
		if (!(mask >> component & 1))
			continue;
		/* Standard (uncompacted) format: eax is the component's size, ebx its offset. */
		__cpuid_count(CPUID_XSAVE, component, eax, ebx, ecx, edx);
		if ((uint64_t)ebx + eax > bytes)
			bytes = (uint64_t)ebx + eax;
	}
	farjit_xsave_bytes = bytes;
	farjit_xsave_mask = mask;
}

void farjit_abi_registers(const ucontext_t *context, uint64_t *registers)
{
	static const int order[FARJIT_REGISTERS] = {
		REG_RAX, REG_RDX, REG_RCX, REG_RBX, REG_RSI, REG_RDI, REG_RBP, REG_RSP, REG_R8,
		REG_R9,	 REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15, REG_RIP, REG_EFL,
	};
	for (int i = 0; i < FARJIT_REGISTERS; i++)
		registers[i] = (uint64_t)context->uc_mcontext.gregs[order[i]];
}

uint64_t farjit_abi_program_counter(const ucontext_t *context)
{
	return (uint64_t)context->uc_mcontext.gregs[REG_RIP];
}

uint64_t farjit_abi_stack_pointer(const ucontext_t *context)
{
	return (uint64_t)context->uc_mcontext.gregs[REG_RSP];
}

uint64_t farjit_abi_frame_pointer(const ucontext_t *context)
{
	return (uint64_t)context->uc_mcontext.gregs[REG_RBP];
}
