/*
 * Steps from a frame to its caller's, in this process: unwind information, registers and stack are written down here, and what
 * is beside the stack is nobody's. In place of frames.c, which is tried in cases_frames.c, stands one record. Longer than other
 * files, as half of it is tables.
 */
#include "host.h"

#include "../runner.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	/* DWARF's numbers. */
	RBX = 3,
	RSI = 4,
	RBP = 6,
	RSP = 7,
	RIP = 16,
	STACK_WORDS = 256,
	/* Where the frame's registers point to, and a frame pointer's usual CFA. */
	AT_RSP = 190,
	AT_RBP = 200,
	AT_CFA = 202,
	/* What words of the stack and registers hold. */
	STACK_VALUE = 0x5000,
	REGISTER_VALUE = 0x1000,
	CODE_START = 0x100000,
	CODE_END = 0x200000,
	FUNCTION = 0x100100,
	OFFSET = 20,
	RECORD_BYTES = 256,
	REFUSED = 0,
};

uintptr_t farjit_code_start = CODE_START;
uintptr_t farjit_code_end = CODE_END;

/* A CIE, then an FDE of FUNCTION. */
static struct {
	_Alignas(8) uint8_t bytes[2 * RECORD_BYTES];
	size_t count;
	const uint8_t *fde;
} frame_section;

const void *_Unwind_Find_FDE(void *program_counter, struct dwarf_eh_bases *bases)
{
	uint64_t offset = (uint64_t)program_counter - FUNCTION;
	if (!frame_section.fde || offset > OFFSET)
		return NULL;
	*bases = (struct dwarf_eh_bases){.function = (void *)(uintptr_t)FUNCTION};
	return frame_section.fde;
}

struct bytes {
	const uint8_t *at;
	size_t count;
};
#define BYTES(...) {(const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__})}
#define NO_BYTES {NULL, 0}

static void put(const void *bytes, size_t count)
{
	CHECK(frame_section.count + count <= sizeof frame_section.bytes);
	if (count > 0)
		memcpy(frame_section.bytes + frame_section.count, bytes, count);
	frame_section.count += count;
}

static void put_byte(uint8_t byte)
{
	put(&byte, 1);
}

/* A record's length is known at its end. */
static size_t begin_record(uint32_t identifier)
{
	size_t start = frame_section.count;
	put(&(uint32_t){0}, 4);
	put(&identifier, 4);
	return start;
}

static void end_record(size_t start)
{
	uint32_t bytes = (uint32_t)(frame_section.count - start - 4);
	memcpy(frame_section.bytes + start, &bytes, sizeof bytes);
}

/* Of a CIE, all but its instructions; zero is version 1 without augmentation, as most rows have it. */
struct head {
	uint8_t version;
	const char *augmentation;
	uint8_t code_alignment, data_alignment; /* 1 and -8 */
	struct bytes return_register;		/* 16 */
	struct bytes data;
	/* Of each of the two pointers of an FDE. */
	uint8_t pointer_bytes; /* 8 */
};

/* Writes both records: CFA = rbp + 16, the return address is at CFA - 8, and then what the FDE says. */
static void write_records(struct head head, struct bytes instructions)
{
	static const uint8_t initial[] = {0x0c, RBP, 16, 0x80 | RIP, 1};
	static const uint8_t other[16] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
	const char *augmentation = head.augmentation ? head.augmentation : "";
	frame_section.count = 0;
	size_t cie = begin_record(0);
	put_byte(head.version ? head.version : 1);
	put(augmentation, strlen(augmentation) + 1);
	put_byte(head.code_alignment ? head.code_alignment : 1);
	put_byte(head.data_alignment ? head.data_alignment : 0x78);
	if (head.return_register.count > 0)
		put(head.return_register.at, head.return_register.count);
	else
		put_byte(RIP);
	if (*augmentation == 'z') {
		put_byte((uint8_t)head.data.count);
		put(head.data.at, head.data.count);
	}
	put(initial, sizeof initial);
	end_record(cie);
	size_t fde = begin_record((uint32_t)frame_section.count + 4);
	put(other, 2u * (head.pointer_bytes ? head.pointer_bytes : 8));
	/* Taken for instructions, the length would remember a state, and what follows give the return address another place. */
	static const uint8_t of_fde[10] = {0x80 | RIP, 5, 0x80 | RIP, 5, 0x80 | RIP, 5, 0x80 | RIP, 5, 0x80 | RIP, 5};
	if (*augmentation == 'z') {
		put_byte(sizeof of_fde);
		put(of_fde, sizeof of_fde);
	}
	put(instructions.at, instructions.count);
	end_record(fde);
	frame_section.fde = frame_section.bytes + fde;
}

static uint64_t stack[STACK_WORDS];

static uint64_t stack_address(size_t word)
{
	return (uint64_t)(stack + word);
}

static struct farjit_thread thread_of_stack(void)
{
	return (struct farjit_thread){.stack_start = stack_address(0), .stack_end = stack_address(STACK_WORDS)};
}

static struct farjit_frame frame_of_stack(void)
{
	struct farjit_frame frame = {.is_caller = false};
	for (size_t i = 0; i < STACK_WORDS; i++)
		stack[i] = STACK_VALUE + i;
	stack[AT_RBP] = stack_address(AT_RBP + 10);
	for (size_t i = 0; i < FARJIT_REGISTER_CAPACITY; i++)
		frame.registers[i] = REGISTER_VALUE + i;
	frame.registers[RBP] = stack_address(AT_RBP);
	frame.registers[RSP] = stack_address(AT_RSP);
	frame.registers[RIP] = FUNCTION + OFFSET;
	/* The last that an expression has a short name for, the next, and the last that there is. */
	frame.registers[31] = stack_address(50);
	frame.registers[32] = stack_address(60);
	frame.registers[33] = stack_address(220);
	return frame;
}

static struct farjit_frame stepped(struct farjit_frame frame, bool *done)
{
	const struct farjit_frame before = frame;
	const struct farjit_thread thread = thread_of_stack();
	*done = farjit_cfi_step(&frame, &thread);
	/* What cannot be followed leaves the frame as it was. */
	CHECK(*done || memcmp(&frame, &before, sizeof frame) == 0);
	return frame;
}

static void check_row(const char *what, const char *name, uint64_t actual, uint64_t expected)
{
	if (actual == expected)
		return;
	fprintf(stderr, "%s: %s is %#llx, expected %#llx\n", what, name, (unsigned long long)actual, (unsigned long long)expected);
	exit(1);
}

/* Values that depend on where the stack is: the address of a word of it. */
#define ADDRESS(word) (UINT64_C(1) << 63 | (word))

static uint64_t expected_value(uint64_t value)
{
	return value >> 63 ? stack_address(value & 0xffff) : value;
}

struct row {
	const char *what;
	struct bytes instructions;
	/* REFUSED, or where the caller goes on; its CFA, as a word of the stack, 0 for the usual one; and its rbx, 0 for what it was. */
	uint64_t return_address;
	size_t cfa;
	uint64_t rbx;
};

#define AT(word) (STACK_VALUE + (word))
#define IN(number) (REGISTER_VALUE + (number))
#define USUAL AT(AT_CFA - 1)

static const struct row rows[] = {
	{"no instructions", NO_BYTES, USUAL, 0, 0},
	{"offset", BYTES(0x80 | RIP, 3), AT(AT_CFA - 3), 0, 0},
	{"offset of two bytes", BYTES(0x80 | RIP, 0x82, 1), AT(AT_CFA - 130), 0, 0},
	{"offset_extended", BYTES(0x05, 0x90, 0, 4), AT(AT_CFA - 4), 0, 0},
	{"offset_extended_sf", BYTES(0x11, RIP, 0x7f), AT(AT_CFA + 1), 0, 0},
	{"offset_extended_sf of two bytes", BYTES(0x11, RIP, 0xf0, 0x7f), AT(AT_CFA + 16), 0, 0},
	{"a number of ten bytes", BYTES(0x80 | RIP, 0x83, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0), AT(AT_CFA - 3), 0, 0},
	{"a number of eleven bytes", BYTES(0x80 | RIP, 0x83, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 1), AT(AT_CFA - 3), 0, 0},
	{"the stack's first word", BYTES(0x80 | RBX, 0xca, 1), USUAL, 0, AT(0)},
	{"the word before it", BYTES(0x80 | RBX, 0xcb, 1), REFUSED, 0, 0},
	{"the stack's last word", BYTES(0x0c, RBP, 0xc0, 3), AT(STACK_WORDS - 1), STACK_WORDS, 0},
	{"the word behind it", BYTES(0x0c, RBP, 0xc0, 3, 0x80 | RBX, 0), REFUSED, 0, 0},
	{"a CFA behind the stack", BYTES(0x0c, RBP, 0xc8, 3, 0x80 | RIP, 2), REFUSED, 0, 0},
	{"restore", BYTES(0x80 | RIP, 5, 0xc0 | RIP), USUAL, 0, 0},
	{"restore_extended", BYTES(0x80 | RIP, 5, 0x06, RIP), USUAL, 0, 0},
	{"restore of the last register", BYTES(0xc0 | 33), USUAL, 0, 0},
	{"restore of a register that there is not", BYTES(0xc0 | 34), REFUSED, 0, 0},
	{"undefined", BYTES(0x80 | RBX, 1, 0x07, RBX, 0x09, RSI, RBX), USUAL, 0, UINT64_C(1) << 62},
	{"undefined return address", BYTES(0x07, RIP), REFUSED, 0, 0},
	{"same_value", BYTES(0x08, RIP), FUNCTION + OFFSET, 0, 0},
	{"register", BYTES(0x09, RIP, RSI), IN(RSI), 0, 0},
	{"the last register", BYTES(0x09, RBX, 33), USUAL, 0, ADDRESS(220)},
	{"a register that there is not", BYTES(0x09, RBX, 34), REFUSED, 0, 0},
	{"of the last register", BYTES(0x09, 33, RBX), USUAL, 0, 0},
	{"of a register that there is not", BYTES(0x09, 34, RBX), REFUSED, 0, 0},
	{"val_offset", BYTES(0x14, RBX, 2), USUAL, 0, ADDRESS(AT_CFA - 2)},
	{"expression", BYTES(0x10, RBX, 2, 0x70 | RBP, 8), USUAL, 0, AT(AT_RBP + 1)},
	{"expression with a negative offset", BYTES(0x10, RBX, 2, 0x70 | RBP, 0x78), USUAL, 0, AT(AT_RBP - 1)},
	{"expression of two bytes more", BYTES(0x10, RBX, 3, 0x70 | RBP, 0x88, 1), USUAL, 0, AT(AT_RBP + 17)},
	{"expression of an odd address", BYTES(0x10, RBX, 2, 0x70 | RBP, 4), REFUSED, 0, 0},
	{"expression of breg31", BYTES(0x10, RBX, 2, 0x8f, 0), USUAL, 0, AT(50)},
	{"expression of what is behind breg31", BYTES(0x10, RBX, 2, 0x90, 0), REFUSED, 0, 0},
	{"expression of what is before breg0", BYTES(0x10, RBX, 2, 0x6f, 0), REFUSED, 0, 0},
	{"expression that reads memory", BYTES(0x10, RBX, 3, 0x70 | RBP, 0, 0x06), REFUSED, 0, 0},
	{"expression with more", BYTES(0x10, RBX, 3, 0x70 | RBP, 8, 0x96), REFUSED, 0, 0},
	{"expression that is too short", BYTES(0x10, RBX, 1, 0x70 | RBP, 8), REFUSED, 0, 0},
	{"expression that is longer than its record", BYTES(0x10, RBX, 4, 0x70 | RBP, 8), REFUSED, 0, 0},
	{"remember_state and restore_state", BYTES(0x0a, 0x80 | RIP, 5, 0x0e, 64, 0x0b), USUAL, 0, 0},
	{"states in each other", BYTES(0x80 | RIP, 3, 0x0a, 0x80 | RIP, 4, 0x0a, 0x80 | RIP, 5, 0x0b), AT(AT_CFA - 4), 0, 0},
	{"four states", BYTES(0x0a, 0x0a, 0x0a, 0x0a, 0x0b, 0x0b, 0x0b, 0x0b), USUAL, 0, 0},
	{"five states", BYTES(0x0a, 0x0a, 0x0a, 0x0a, 0x0a), REFUSED, 0, 0},
	{"restore_state of none", BYTES(0x0a, 0x0b, 0x0b), REFUSED, 0, 0},
	{"def_cfa", BYTES(0x0c, RSP, 16), AT(AT_RSP + 1), AT_RSP + 2, 0},
	{"def_cfa_register", BYTES(0x0d, RSP), AT(AT_RSP + 1), AT_RSP + 2, 0},
	{"def_cfa_offset", BYTES(0x0e, 24), AT(AT_RBP + 2), AT_RBP + 3, 0},
	{"def_cfa with the last register", BYTES(0x0d, 33), AT(221), 222, 0},
	{"def_cfa with a register that there is not", BYTES(0x0d, 34), REFUSED, 0, 0},
	{"a CFA at the stack pointer", BYTES(0x0c, RSP, 0), REFUSED, 0, 0},
	{"a CFA above it", BYTES(0x0c, RSP, 8), AT(AT_RSP), AT_RSP + 1, 0},
	{"def_cfa_expression", BYTES(0x0f, 2, 0x70 | RBP, 24), AT(AT_RBP + 2), AT_RBP + 3, 0},
	{"def_cfa_expression that reads memory", BYTES(0x0f, 3, 0x70 | RBP, 0, 0x06), AT(AT_RBP + 9), AT_RBP + 10, 0},
	{"def_cfa_expression that reads no stack", BYTES(0x0f, 3, 0x70 | RBX, 0, 0x06), REFUSED, 0, 0},
	{"def_cfa after one that reads memory", BYTES(0x0f, 3, 0x70 | RBP, 0, 0x06, 0x0c, RBP, 16), USUAL, 0, 0},
	{"GNU_args_size", BYTES(0x2e, 0x16, 0x80 | RIP, 3), AT(AT_CFA - 3), 0, 0},
	{"nop", BYTES(0, 0, 0x80 | RIP, 3), AT(AT_CFA - 3), 0, 0},
	{"set_loc", BYTES(0x01, 0, 0, 0, 0, 0, 0, 0, 0), REFUSED, 0, 0},
	{"val_expression", BYTES(0x16, RBX, 2, 0x70 | RBP, 8), REFUSED, 0, 0},
	{"GNU_window_save", BYTES(0x2d), REFUSED, 0, 0},
	{"advance_loc to here", BYTES(0x40 | OFFSET, 0x80 | RIP, 3), AT(AT_CFA - 3), 0, 0},
	{"advance_loc to behind", BYTES(0x40 | (OFFSET + 1), 0x80 | RIP, 3), USUAL, 0, 0},
	{"two advances to here", BYTES(0x40 | 10, 0x80 | RIP, 3, 0x40 | 10, 0x80 | RIP, 4), AT(AT_CFA - 4), 0, 0},
	{"two advances to behind", BYTES(0x40 | 10, 0x80 | RIP, 3, 0x40 | 11, 0x80 | RIP, 4), AT(AT_CFA - 3), 0, 0},
	{"advance_loc1 to here", BYTES(0x02, OFFSET, 0x80 | RIP, 3), AT(AT_CFA - 3), 0, 0},
	{"advance_loc1 to behind", BYTES(0x02, OFFSET + 1, 0x80 | RIP, 3), USUAL, 0, 0},
	{"advance_loc2 to here", BYTES(0x03, OFFSET, 0, 0x80 | RIP, 3), AT(AT_CFA - 3), 0, 0},
	{"advance_loc2 to behind", BYTES(0x03, OFFSET, 1, 0x80 | RIP, 3), USUAL, 0, 0},
	{"advance_loc4 to here", BYTES(0x04, OFFSET, 0, 0, 0, 0x80 | RIP, 3), AT(AT_CFA - 3), 0, 0},
	{"advance_loc4 to behind", BYTES(0x04, OFFSET, 0, 0, 1, 0x80 | RIP, 3), USUAL, 0, 0},
	{"half of def_cfa", BYTES(0x0c, RBP), REFUSED, 0, 0},
	{"half of offset", BYTES(0x80 | RIP), REFUSED, 0, 0},
	{"half of advance_loc2", BYTES(0x03, OFFSET), REFUSED, 0, 0},
	{"half of a number", BYTES(0x80 | RIP, 0x83), REFUSED, 0, 0},
};

static void check_step(const struct row *row, struct farjit_frame frame)
{
	bool done;
	uint64_t rbx = row->rbx == 0 ? IN(RBX) : row->rbx == UINT64_C(1) << 62 ? 0 : expected_value(row->rbx);
	struct farjit_frame caller = stepped(frame, &done);
	check_row(row->what, "whether there is a caller", done, row->return_address != REFUSED);
	if (!done)
		return;
	check_row(row->what, "the return address", caller.registers[RIP], row->return_address);
	check_row(row->what, "the CFA", caller.registers[RSP], stack_address(row->cfa ? row->cfa : AT_CFA));
	check_row(row->what, "rbx", caller.registers[RBX], rbx);
	check_row(row->what, "rsi", caller.registers[RSI] == IN(RSI) || caller.registers[RSI] == IN(RBX), true);
}

static void follows_what_unwind_information_says(void)
{
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		write_records((struct head){0}, rows[i].instructions);
		check_step(&rows[i], frame_of_stack());
	}
	/* The call of a frame that has called decides, which is before where it returns to. */
	const struct row called[] = {
		{"advance_loc to the call", BYTES(0x40 | (OFFSET - 1), 0x80 | RIP, 3), AT(AT_CFA - 3), 0, 0},
		{"advance_loc to behind the call", BYTES(0x40 | OFFSET, 0x80 | RIP, 3), USUAL, 0, 0},
	};
	for (size_t i = 0; i < sizeof called / sizeof called[0]; i++) {
		write_records((struct head){0}, called[i].instructions);
		struct farjit_frame frame = frame_of_stack();
		frame.is_caller = true;
		check_step(&called[i], frame);
	}
	frame_section.fde = NULL;
	check_step(&(struct row){"code without unwind information", NO_BYTES, REFUSED, 0, 0}, frame_of_stack());
}

static const struct {
	struct head head;
	struct row row;
} heads[] = {
	{{.code_alignment = 4}, {"code in steps of 4, to here", BYTES(0x40 | 5, 0x80 | RIP, 3), AT(AT_CFA - 3), 0, 0}},
	{{.code_alignment = 4}, {"code in steps of 4, to behind", BYTES(0x40 | 6, 0x80 | RIP, 3), USUAL, 0, 0}},
	{{.code_alignment = 4}, {"code in steps of 4, by advance_loc1", BYTES(0x02, 6, 0x80 | RIP, 3), USUAL, 0, 0}},
	{{.data_alignment = 8}, {"offsets up the stack", NO_BYTES, AT(AT_CFA + 1), 0, 0}},
	{{.data_alignment = 8}, {"offsets down the stack", BYTES(0x11, RIP, 0x7d), AT(AT_CFA - 3), 0, 0}},
	{{.return_register = BYTES(RBX)}, {"another return address", NO_BYTES, IN(RBX), 0, 0}},
	{{.return_register = BYTES(33)}, {"the last register as return address", BYTES(0x09, 33, RSI), IN(RSI), 0, 0}},
	{{.return_register = BYTES(34)}, {"a return address that there is not", NO_BYTES, REFUSED, 0, 0}},
	{{.version = 3, .return_register = BYTES(0x90, 0)}, {"version 3", NO_BYTES, USUAL, 0, 0}},
	{{.version = 1, .return_register = BYTES(0x90, 0)}, {"version 1", NO_BYTES, REFUSED, 0, 0}},
	{{.augmentation = "z"}, {"z", NO_BYTES, USUAL, 0, 0}},
	{{.augmentation = "z", .data = BYTES(0xff, 0xff)}, {"z with more", NO_BYTES, USUAL, 0, 0}},
	{{.augmentation = "zR", .data = BYTES(0x00)}, {"absolute pointers", NO_BYTES, USUAL, 0, 0}},
	{{.augmentation = "zR", .data = BYTES(0x02), .pointer_bytes = 2}, {"udata2", NO_BYTES, USUAL, 0, 0}},
	{{.augmentation = "zR", .data = BYTES(0x03), .pointer_bytes = 4}, {"udata4", NO_BYTES, USUAL, 0, 0}},
	{{.augmentation = "zR", .data = BYTES(0x04), .pointer_bytes = 8}, {"udata8", NO_BYTES, USUAL, 0, 0}},
	{{.augmentation = "zR", .data = BYTES(0x0a), .pointer_bytes = 2}, {"sdata2", NO_BYTES, USUAL, 0, 0}},
	{{.augmentation = "zR", .data = BYTES(0x1b), .pointer_bytes = 4}, {"sdata4", NO_BYTES, USUAL, 0, 0}},
	{{.augmentation = "zR", .data = BYTES(0x0c), .pointer_bytes = 8}, {"sdata8", NO_BYTES, USUAL, 0, 0}},
	{{.augmentation = "zLR", .data = BYTES(0xff, 0x1b), .pointer_bytes = 4}, {"L", NO_BYTES, USUAL, 0, 0}},
	{{.augmentation = "zPR", .data = BYTES(0x00, 1, 0, 0, 0, 0, 0, 0, 0, 0x1b), .pointer_bytes = 4}, {"P", NO_BYTES, USUAL, 0, 0}},
	{{.augmentation = "zPLR", .data = BYTES(0x9b, 1, 0, 0, 0, 0x1b, 0x1b), .pointer_bytes = 4}, {"P of four bytes", NO_BYTES, USUAL, 0, 0}},
	{{.augmentation = "zSR", .data = BYTES(0x1b), .pointer_bytes = 4}, {"S", NO_BYTES, USUAL, 0, 0}},
	{{.augmentation = "zX", .data = BYTES(0x1b)}, {"an augmentation that there is not", NO_BYTES, REFUSED, 0, 0}},
	{{.augmentation = "eh"}, {"an augmentation without its length", NO_BYTES, REFUSED, 0, 0}},
	{{.augmentation = "zRRRRRRRRR", .data = NO_BYTES}, {"an augmentation without its data", NO_BYTES, REFUSED, 0, 0}},
};

static void reads_heads_of_unwind_information(void)
{
	for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++) {
		bool done, is_signal = heads[i].head.augmentation && strchr(heads[i].head.augmentation, 'S');
		write_records(heads[i].head, heads[i].row.instructions);
		check_step(&heads[i].row, frame_of_stack());
		struct farjit_frame caller = stepped(frame_of_stack(), &done);
		if (done)
			check_row(heads[i].row.what, "whether it has called", caller.is_caller, !is_signal);
	}
}

/* Behind the head's fixed parts and "zP", the length and the encoding. */
static uint64_t place_of_personality(void)
{
	return (uint64_t)(frame_section.bytes + 4 + 4 + 1 + sizeof "zP" + 3 + 2);
}

static void finds_what_decides_about_exceptions(void)
{
	const uint64_t place = place_of_personality();
	const struct {
		struct bytes data;
		uint64_t expected;
	} encodings[] = {
		{BYTES(0x00, 0x78, 0x56, 0x34, 0x12, 0, 0, 0, 0x40), UINT64_C(0x4000000012345678)},
		{BYTES(0x02, 0xf0, 0xff), 0xfff0},
		{BYTES(0x03, 0xf0, 0xff, 0xff, 0xff), 0xfffffff0},
		{BYTES(0x0a, 0xf0, 0xff), UINT64_MAX - 15},
		{BYTES(0x0b, 0xf0, 0xff, 0xff, 0xff), UINT64_MAX - 15},
		{BYTES(0x0b, 0xf0, 0xff, 0xff, 0x7f), 0x7ffffff0},
		{BYTES(0x0c, 0x78, 0x56, 0x34, 0x12, 0, 0, 0, 0x80), UINT64_C(0x8000000012345678)},
		{BYTES(0x1b, 0x00, 0x01, 0, 0), place + 256},
		{BYTES(0x1b, 0x00, 0xff, 0xff, 0xff), place - 256},
		/* Where it is written: the eight bytes behind it. */
		{BYTES(0x9b, 4, 0, 0, 0, 0x21, 0x43, 0, 0, 0, 0, 0, 0), 0x4321},
		{BYTES(0x1b, 0, 0, 0, 0), 0},
		{BYTES(0x00, 0, 0, 0, 0, 0, 0, 0, 0), 0},
		/* Aligned, of the text, of the data, of the function: nobody writes them. */
		{BYTES(0x50, 1, 0, 0, 0, 0, 0, 0, 0), 0},
		{BYTES(0x23, 1, 0, 0, 0), 0},
		{BYTES(0x33, 1, 0, 0, 0), 0},
		{BYTES(0x43, 1, 0, 0, 0), 0},
		{BYTES(0xff), 0},
	};
	for (size_t i = 0; i < sizeof encodings / sizeof encodings[0]; i++) {
		write_records((struct head){.augmentation = "zP", .data = encodings[i].data}, (struct bytes)NO_BYTES);
		check_row("an encoding", "the personality", (uint64_t)farjit_personality_of(FUNCTION), encodings[i].expected);
	}
	CHECK(!farjit_personality_of(FUNCTION - 1));
	write_records((struct head){.augmentation = "zR", .data = BYTES(0x1b), .pointer_bytes = 4}, (struct bytes)NO_BYTES);
	CHECK(!farjit_personality_of(FUNCTION));
}

/* Two words of a chain of frame pointers. */
static void put_frame(size_t word, uint64_t caller, uint64_t return_address)
{
	stack[word] = caller;
	stack[word + 1] = return_address;
}

static uint32_t walk(const struct farjit_thread *thread, const struct farjit_frame *frame, uint64_t *frames)
{
	memset(frames, 0, FARJIT_TRAP_FRAME_COUNT * sizeof *frames);
	return farjit_walk_frames(thread, frame->registers, frames);
}

/* Without unwind information: what was called from nowhere, then frame pointers as long as they go up the stack. */
static void walks_frames_to_the_end_of_the_stack(void)
{
	enum { NOWHERE = 8 };
	uint64_t frames[FARJIT_TRAP_FRAME_COUNT];
	struct farjit_thread thread = thread_of_stack();
	struct farjit_frame frame = frame_of_stack();
	frame_section.fde = NULL;
	CHECK_EQUAL(walk(NULL, &frame, frames), 0);
	put_frame(AT_RBP, stack_address(210), 0x7001);
	put_frame(210, stack_address(220), 0x7002);
	put_frame(220, 0, 0x7003);
	/* What has called is somewhere, whatever is on the stack in front of it. */
	stack[AT_RBP + 2] = CODE_START;
	CHECK_EQUAL(walk(&thread, &frame, frames), 3);
	CHECK(frames[0] == 0x7001 && frames[1] == 0x7002 && frames[2] == 0x7003);
	/* To where the thread has begun to run such code. */
	struct farjit_boundary boundary = {.stack_pointer = stack_address(212)};
	thread.boundary = &boundary;
	CHECK_EQUAL(walk(&thread, &frame, frames), 2);
	thread.boundary = NULL;
	/* A frame pointer that is at the stack pointer, below it, and beside a word. */
	frame.registers[RSP] = stack_address(AT_RBP);
	CHECK_EQUAL(walk(&thread, &frame, frames), 3);
	frame.registers[RSP] = stack_address(AT_RBP) + 8;
	CHECK_EQUAL(walk(&thread, &frame, frames), 0);
	frame.registers[RSP] = stack_address(AT_RSP);
	frame.registers[RBP] += 4;
	CHECK_EQUAL(walk(&thread, &frame, frames), 0);
	/* The last two words of the stack are a frame, the last one is none. */
	put_frame(STACK_WORDS - 2, 0, 0x7004);
	frame.registers[RBP] = stack_address(STACK_WORDS - 2);
	CHECK_EQUAL(walk(&thread, &frame, frames), 1);
	CHECK_EQUAL(frames[0], 0x7004);
	frame.registers[RBP] = stack_address(STACK_WORDS - 1);
	CHECK_EQUAL(walk(&thread, &frame, frames), 0);
	frame.registers[RBP] = stack_address(STACK_WORDS);
	CHECK_EQUAL(walk(&thread, &frame, frames), 0);
	/* A stack that is not one. */
	thread.stack_end = thread.stack_start + 15;
	CHECK_EQUAL(walk(&thread, &frame, frames), 0);
	thread = thread_of_stack();
	/* One caller more than there is room for. */
	for (size_t i = 0; i <= FARJIT_TRAP_FRAME_COUNT; i++)
		put_frame(2 * i, stack_address(2 * i + 2), 0x8000 + i);
	frame.registers[RSP] = frame.registers[RBP] = stack_address(0);
	CHECK_EQUAL(walk(&thread, &frame, frames), FARJIT_TRAP_FRAME_COUNT);
	CHECK_EQUAL(frames[FARJIT_TRAP_FRAME_COUNT - 1], 0x8000 + FARJIT_TRAP_FRAME_COUNT - 1);
	/* Called from code: its first byte, its last, and what is beside. */
	static const struct {
		uint64_t program_counter, return_address;
		uint32_t count;
	} called[] = {
		{NOWHERE, CODE_START, 1},     {NOWHERE, CODE_END - 1, 1}, {NOWHERE, CODE_START - 1, 0}, {NOWHERE, CODE_END, 0},
		{CODE_START - 1, CODE_START, 1}, {CODE_START, CODE_START, 0}, {CODE_END - 1, CODE_START, 0}, {CODE_END, CODE_START, 1},
	};
	for (size_t i = 0; i < sizeof called / sizeof called[0]; i++) {
		frame = frame_of_stack();
		frame.registers[RBP] = 0;
		frame.registers[RIP] = called[i].program_counter;
		stack[AT_RSP] = called[i].return_address;
		CHECK_EQUAL(walk(&thread, &frame, frames), called[i].count);
		CHECK_EQUAL(frames[0], called[i].count ? called[i].return_address : 0);
	}
	/* The return address is off the stack then: its frame is the caller's. */
	frame = frame_of_stack();
	frame.registers[RIP] = NOWHERE;
	stack[AT_RSP] = FUNCTION + 1;
	write_records((struct head){0}, (struct bytes)BYTES(0x0c, RSP, 8));
	CHECK(walk(&thread, &frame, frames) >= 2);
	CHECK_EQUAL(frames[1], AT(AT_RSP + 1));
}

const struct test_case unwinding_cases[] = {
	{"follows-what-unwind-information-says", follows_what_unwind_information_says},
	{"reads-heads-of-unwind-information", reads_heads_of_unwind_information},
	{"finds-what-decides-about-exceptions", finds_what_decides_about_exceptions},
	{"walks-frames-to-the-end-of-the-stack", walks_frames_to_the_end_of_the_stack},
	{0},
};
