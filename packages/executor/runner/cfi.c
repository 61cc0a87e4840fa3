/*
 * Call frame information: how to go from a frame to its caller's, by what compilers write into .eh_frame. libgcc's unwinder
 * follows whatever it finds, which for a report of a trap is too much: here nothing outside the stack is read, and what cannot
 * be followed ends the step. Sources: DWARF 5, 6.4; LSB Core 5.0, 10.6.1.
 */
#include "runner.h"

#include <string.h>

/* Rows that one may remember at a time; compilers remember one. */
#define REMEMBERED_COUNT 4

enum rule_kind { RULE_SAME, RULE_UNDEFINED, RULE_AT_OFFSET, RULE_IS_OFFSET, RULE_AT_ADDRESS, RULE_IN_REGISTER };

/* Where the caller's value of a register is; offsets are from the CFA. */
struct rule {
	enum rule_kind kind;
	int64_t value;
};

/* The table of one address. */
struct row {
	/* CFA = register + offset, or what is in memory there. */
	uint64_t cfa_register;
	int64_t cfa_offset;
	bool cfa_is_in_memory;
	struct rule rules[FARJIT_REGISTER_CAPACITY];
};

/* Bytes of one record. What lies beyond its end reads as zero, and fails. */
struct reader {
	const uint8_t *at;
	const uint8_t *end;
	bool failed;
};

struct cie {
	uint64_t code_alignment;
	int64_t data_alignment;
	uint64_t return_register;
	uint8_t pointer_encoding;
	/* 0: none. Else what decides about exceptions, or where that is written. */
	uint64_t personality;
	bool personality_is_written_there;
	bool has_augmentation_data;
	bool is_signal_frame;
	struct reader instructions;
};

static uint64_t read_fixed(struct reader *reader, size_t bytes)
{
	uint64_t value = 0;
	if (bytes > sizeof value || (size_t)(reader->end - reader->at) < bytes) {
		reader->failed = true;
		return 0;
	}
	memcpy(&value, reader->at, bytes);
	reader->at += bytes;
	return value;
}

static uint64_t read_leb128(struct reader *reader, bool is_signed)
{
	uint64_t value = 0, byte;
	unsigned shift = 0;
	do {
		byte = read_fixed(reader, 1);
		if (shift < 64)
			value |= (byte & 0x7f) << shift;
		shift += 7;
	} while (byte & 0x80);
	if (is_signed && (byte & 0x40) && shift < 64)
		value |= ~UINT64_C(0) << shift;
	return value;
}

static uint64_t read_unsigned(struct reader *reader)
{
	return read_leb128(reader, false);
}

static int64_t read_signed(struct reader *reader)
{
	return (int64_t)read_leb128(reader, true);
}

/* A record: its length, then so many bytes. */
static struct reader open_record(const uint8_t *record)
{
	uint32_t bytes;
	memcpy(&bytes, record, sizeof bytes);
	return (struct reader){.at = record + sizeof bytes, .end = record + sizeof bytes + bytes};
}

static void skip(struct reader *reader, uint64_t bytes)
{
	if ((uint64_t)(reader->end - reader->at) < bytes)
		reader->failed = true;
	else
		reader->at += bytes;
}

/* Bytes of a pointer of an encoding, DW_EH_PE_*; 0 of one that is not written here. */
static uint64_t pointer_bytes(uint8_t encoding)
{
	static const uint8_t bytes[16] = {[0x0] = 8, [0x2] = 2, [0x3] = 4, [0x4] = 8, [0xa] = 2, [0xb] = 4, [0xc] = 8};
	return bytes[encoding & 0xf];
}

/* 0 where it is none, or where it is written in a way that no compiler writes it. With `indirect` it is where the pointer is. */
static uint64_t read_pointer(struct reader *reader, bool *indirect)
{
	enum { SIGNED = 0x08, RELATIVE = 0x10, INDIRECT = 0x80 };
	uint8_t encoding = (uint8_t)read_fixed(reader, 1);
	uint64_t place = (uintptr_t)reader->at, bytes = pointer_bytes(encoding);
	uint64_t value = read_fixed(reader, bytes);
	if (reader->failed || value == 0 || bytes == 0 || encoding & 0x60)
		return 0;
	if (encoding & SIGNED && bytes < sizeof value && value >> (8 * bytes - 1))
		value |= ~UINT64_C(0) << 8 * bytes;
	*indirect = encoding & INDIRECT;
	return encoding & RELATIVE ? value + place : value;
}

static bool read_cie(const uint8_t *record, struct cie *cie)
{
	struct reader reader = open_record(record);
	*cie = (struct cie){0};
	read_fixed(&reader, 4);
	uint64_t version = read_fixed(&reader, 1);
	const char *augmentation = (const char *)reader.at;
	while (read_fixed(&reader, 1) != 0)
		;
	cie->code_alignment = read_unsigned(&reader);
	cie->data_alignment = read_signed(&reader);
	cie->return_register = version == 1 ? read_fixed(&reader, 1) : read_unsigned(&reader);
	if (reader.failed)
		return false;
	if (*augmentation == 'z') {
		cie->has_augmentation_data = true;
		uint64_t bytes = read_unsigned(&reader);
		struct reader data = reader;
		skip(&reader, bytes);
		for (const char *letter = augmentation + 1; *letter; letter++)
			if (*letter == 'R')
				cie->pointer_encoding = (uint8_t)read_fixed(&data, 1);
			else if (*letter == 'L')
				read_fixed(&data, 1);
			else if (*letter == 'P')
				cie->personality = read_pointer(&data, &cie->personality_is_written_there);
			else if (*letter == 'S')
				cie->is_signal_frame = true;
			else
				return false;
		if (data.failed)
			return false;
	} else if (*augmentation) {
		return false;
	}
	cie->instructions = reader;
	return !reader.failed && cie->return_register < FARJIT_REGISTER_CAPACITY;
}

/*
 * An expression that is a register and an offset, and with `in_memory` what is there, too: what there is for stacks that
 * are aligned, and for the kernel's signal frames. PLTs have others.
 */
static void read_expression(struct reader *reader, uint64_t *number, int64_t *offset, bool *in_memory)
{
	enum { DW_OP_deref = 0x06, DW_OP_breg0 = 0x70 };
	uint64_t bytes = read_unsigned(reader);
	struct reader expression = *reader;
	skip(reader, bytes);
	if (reader->failed)
		return;
	expression.end = reader->at;
	*number = read_fixed(&expression, 1) - DW_OP_breg0;
	*offset = read_signed(&expression);
	*in_memory = expression.at < expression.end;
	if (*in_memory && read_fixed(&expression, 1) != DW_OP_deref)
		expression.failed = true;
	if (expression.failed || expression.at != expression.end || *number >= 32)
		reader->failed = true;
}

/* Wraps around, as addresses do. */
static int64_t scaled(uint64_t factor, const struct cie *cie)
{
	return (int64_t)(factor * (uint64_t)cie->data_alignment);
}

static void set_rule(struct reader *reader, struct row *row, uint64_t number, enum rule_kind kind, int64_t value)
{
	if (number >= FARJIT_REGISTER_CAPACITY)
		reader->failed = true;
	else
		row->rules[number] = (struct rule){kind, value};
}

/*
 * Carries out instructions until they come to an address behind `offset`, which is counted from the function's start.
 * DW_CFA_* by number, as in DWARF 5, 7.24.
 */
static bool execute(struct reader reader, const struct cie *cie, uint64_t offset, const uint64_t *registers, struct row *row)
{
	const struct row initial = *row;
	struct row remembered[REMEMBERED_COUNT];
	unsigned remembered_count = 0;
	for (uint64_t location = 0; reader.at < reader.end && !reader.failed && location <= offset;) {
		uint8_t instruction = (uint8_t)read_fixed(&reader, 1);
		/* Three have their operand in the lower bits. */
		uint64_t number = instruction & 0x3f;
		if (instruction & 0xc0)
			instruction &= 0xc0;
		int64_t value;
		bool in_memory = false;
		switch (instruction) {
		case 0x00: /* nop */
			break;
		case 0x40: /* advance_loc */
			location += number * cie->code_alignment;
			break;
		case 0x02: /* advance_loc1 */
		case 0x03: /* advance_loc2 */
		case 0x04: /* advance_loc4 */
			location += read_fixed(&reader, (size_t)1 << (instruction - 0x02)) * cie->code_alignment;
			break;
		case 0x05: /* offset_extended */
			number = read_unsigned(&reader);
			/* fall through */
		case 0x80: /* offset */
			set_rule(&reader, row, number, RULE_AT_OFFSET, scaled(read_unsigned(&reader), cie));
			break;
		case 0x11: /* offset_extended_sf */
			number = read_unsigned(&reader);
			set_rule(&reader, row, number, RULE_AT_OFFSET, scaled((uint64_t)read_signed(&reader), cie));
			break;
		case 0x06: /* restore_extended */
			number = read_unsigned(&reader);
			/* fall through */
		case 0xc0: /* restore */
			if (number >= FARJIT_REGISTER_CAPACITY)
				return false;
			row->rules[number] = initial.rules[number];
			break;
		case 0x07: /* undefined */
			set_rule(&reader, row, read_unsigned(&reader), RULE_UNDEFINED, 0);
			break;
		case 0x08: /* same_value */
			set_rule(&reader, row, read_unsigned(&reader), RULE_SAME, 0);
			break;
		case 0x09: /* register */
			number = read_unsigned(&reader);
			set_rule(&reader, row, number, RULE_IN_REGISTER, (int64_t)read_unsigned(&reader));
			break;
		case 0x14: /* val_offset */
			number = read_unsigned(&reader);
			set_rule(&reader, row, number, RULE_IS_OFFSET, scaled(read_unsigned(&reader), cie));
			break;
		case 0x10: /* expression */
			number = read_unsigned(&reader);
			uint64_t base = 0;
			read_expression(&reader, &base, &value, &in_memory);
			if (reader.failed || in_memory)
				return false;
			set_rule(&reader, row, number, RULE_AT_ADDRESS, (int64_t)(registers[base] + (uint64_t)value));
			break;
		case 0x0a: /* remember_state */
			if (remembered_count == REMEMBERED_COUNT)
				return false;
			remembered[remembered_count++] = *row;
			break;
		case 0x0b: /* restore_state */
			if (remembered_count == 0)
				return false;
			*row = remembered[--remembered_count];
			break;
		case 0x0c: /* def_cfa */
			row->cfa_register = read_unsigned(&reader);
			row->cfa_offset = (int64_t)read_unsigned(&reader);
			row->cfa_is_in_memory = false;
			break;
		case 0x0d: /* def_cfa_register */
			row->cfa_register = read_unsigned(&reader);
			break;
		case 0x0e: /* def_cfa_offset */
			row->cfa_offset = (int64_t)read_unsigned(&reader);
			break;
		case 0x0f: /* def_cfa_expression */
			read_expression(&reader, &row->cfa_register, &row->cfa_offset, &row->cfa_is_in_memory);
			break;
		case 0x2e: /* GNU_args_size */
			read_unsigned(&reader);
			break;
		default: /* what neither compilers nor libc write */
			return false;
		}
	}
	return !reader.failed;
}

static bool apply(const struct rule *rule, const struct farjit_thread *thread, uint64_t cfa, const uint64_t *registers,
		  uint64_t *value)
{
	switch (rule->kind) {
	case RULE_SAME:
		return true;
	case RULE_UNDEFINED:
		*value = 0;
		return true;
	case RULE_AT_OFFSET:
		return farjit_read_stack(thread, cfa + (uint64_t)rule->value, value);
	case RULE_IS_OFFSET:
		*value = cfa + (uint64_t)rule->value;
		return true;
	case RULE_AT_ADDRESS:
		return farjit_read_stack(thread, (uint64_t)rule->value, value);
	case RULE_IN_REGISTER:
		if (rule->value < 0 || rule->value >= FARJIT_REGISTER_CAPACITY)
			return false;
		*value = registers[rule->value];
		return true;
	}
	return false;
}

/* The FDE of code, from behind its CIE pointer on, and its CIE. */
static bool find_records(uint64_t address, struct reader *fde, struct cie *cie, struct dwarf_eh_bases *bases)
{
	const uint8_t *record = _Unwind_Find_FDE((void *)address, bases);
	if (!record)
		return false;
	*fde = open_record(record);
	const uint8_t *cie_pointer = fde->at;
	uint64_t distance = read_fixed(fde, 4);
	return !fde->failed && read_cie(cie_pointer - distance, cie);
}

_Unwind_Personality_Fn farjit_personality_of(uint64_t address)
{
	struct dwarf_eh_bases bases;
	struct reader fde;
	struct cie cie;
	if (!find_records(address, &fde, &cie, &bases) || !cie.personality)
		return NULL;
	uint64_t personality = cie.personality;
	if (cie.personality_is_written_there)
		memcpy(&personality, (const void *)cie.personality, sizeof personality);
	return (_Unwind_Personality_Fn)personality;
}

bool farjit_cfi_step(struct farjit_frame *frame, const struct farjit_thread *thread)
{
	uint64_t *registers = frame->registers;
	/* A return address may be the first byte after its function: the call before it decides. */
	uint64_t address = registers[farjit_abi_places.program_counter] - (frame->is_caller ? 1 : 0);
	struct dwarf_eh_bases bases;
	struct reader fde;
	struct cie cie;
	if (!find_records(address, &fde, &cie, &bases))
		return false;
	skip(&fde, 2 * pointer_bytes(cie.pointer_encoding));
	if (cie.has_augmentation_data)
		skip(&fde, read_unsigned(&fde));
	struct row row = {0};
	if (fde.failed || !execute(cie.instructions, &cie, 0, registers, &row) ||
	    !execute(fde, &cie, address - (uintptr_t)bases.function, registers, &row) ||
	    row.cfa_register >= FARJIT_REGISTER_CAPACITY)
		return false;
	uint64_t cfa = registers[row.cfa_register] + (uint64_t)row.cfa_offset;
	if (row.cfa_is_in_memory && !farjit_read_stack(thread, cfa, &cfa))
		return false;
	/* Up the stack, so it has an end. */
	if (cfa <= registers[farjit_abi_places.stack_pointer] || cfa > thread->stack_end)
		return false;
	struct farjit_frame caller = *frame;
	for (size_t i = 0; i < FARJIT_REGISTER_CAPACITY; i++)
		if (!apply(&row.rules[i], thread, cfa, registers, &caller.registers[i]))
			return false;
	caller.registers[farjit_abi_places.program_counter] = caller.registers[cie.return_register];
	caller.registers[farjit_abi_places.stack_pointer] = cfa;
	caller.is_caller = !cie.is_signal_frame;
	if (caller.registers[farjit_abi_places.program_counter] == 0)
		return false;
	*frame = caller;
	return true;
}
