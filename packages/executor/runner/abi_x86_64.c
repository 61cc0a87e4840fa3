/* x86-64 System V: what the assembly needs to know about this CPU, and the layout of a trap's registers. */
#include "abi.h"
#include "shared_layout.h"

#include <cpuid.h>
#include <elf.h>
#include <immintrin.h>
#include <stddef.h>

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

/* As in .eh_frame (LSB Core 5.0, 10.6.1). Registers are the psABI's numbers: 7 is rsp, 16 the return address. */
static const struct {
	uint32_t cie_bytes, cie_identifier;
	uint8_t cie[12];
	uint32_t fde_bytes, cie_distance;
	uint64_t start, bytes; /* whoever finds it knows */
} entry_frames = {
	.cie_bytes = 4 + 12,
	.cie = {
		1, 0, 1, 0x78, 16,	/* version, "", code and data alignment 1 and -8, return address */
		0x0c, 7, 8,		/* CFA = rsp + 8 */
		0x80 | 16, 1,		/* return address at CFA - 8 */
	},
	.fde_bytes = 4 + 2 * 8,
	.cie_distance = 4 + 4 + 12 + 4,
};
_Static_assert(offsetof(__typeof__(entry_frames), cie_distance) == 24, "nothing lies between");
const void *const farjit_abi_entry_frame = &entry_frames.fde_bytes;

uint64_t farjit_abi_thread_pointer(void)
{
	/* Its first word is its own address (psABI 11.1). */
	uint64_t pointer;
	__asm__("movq %%fs:0, %0" : "=r"(pointer));
	return pointer;
}

void farjit_abi_registers(const ucontext_t *context, uint64_t *registers)
{
	static const int numbers[] = {
		[FARJIT_X86_64_RAX] = REG_RAX, [FARJIT_X86_64_RDX] = REG_RDX, [FARJIT_X86_64_RCX] = REG_RCX,
		[FARJIT_X86_64_RBX] = REG_RBX, [FARJIT_X86_64_RSI] = REG_RSI, [FARJIT_X86_64_RDI] = REG_RDI,
		[FARJIT_X86_64_RBP] = REG_RBP, [FARJIT_X86_64_RSP] = REG_RSP, [FARJIT_X86_64_R8] = REG_R8,
		[FARJIT_X86_64_R9] = REG_R9,   [FARJIT_X86_64_R10] = REG_R10, [FARJIT_X86_64_R11] = REG_R11,
		[FARJIT_X86_64_R12] = REG_R12, [FARJIT_X86_64_R13] = REG_R13, [FARJIT_X86_64_R14] = REG_R14,
		[FARJIT_X86_64_R15] = REG_R15, [FARJIT_X86_64_RIP] = REG_RIP, [FARJIT_X86_64_RFLAGS] = REG_EFL,
	};
	_Static_assert(sizeof numbers / sizeof numbers[0] <= FARJIT_REGISTER_CAPACITY, "a trap report holds all registers");
	for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
		registers[i] = (uint64_t)context->uc_mcontext.gregs[numbers[i]];
}

const struct farjit_abi_places farjit_abi_places = {
	.program_counter = FARJIT_X86_64_RIP,
	.stack_pointer = FARJIT_X86_64_RSP,
	.frame_pointer = FARJIT_X86_64_RBP,
};

bool farjit_abi_is_function_pointer(uint32_t relocation)
{
	return relocation == R_X86_64_JUMP_SLOT || relocation == R_X86_64_GLOB_DAT || relocation == R_X86_64_64;
}
