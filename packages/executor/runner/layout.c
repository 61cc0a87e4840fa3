/* Prints shared_layout.h as the compiler sees it, for the test that compares it with its TypeScript twin. */
#include "runner.h"

#include <stdio.h>

struct field {
	const char *name;
	size_t offset;
	size_t bytes;
};

struct layout {
	const char *name;
	size_t bytes;
	const struct field *fields;
	size_t field_count;
};

struct constant {
	const char *name;
	uint32_t value;
};

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
#define FIELD(type, name) {#name, offsetof(struct type, name), sizeof(((struct type *)NULL)->name)}
#define LAYOUT(type) {#type, sizeof(struct type), type##_fields, COUNT(type##_fields)}
#define CONSTANT(name) {#name, name}

static const struct field farjit_bell_fields[] = {
	FIELD(farjit_bell, kind),
	FIELD(farjit_bell, slot),
	FIELD(farjit_bell, value),
};

static const struct field farjit_frame_record_fields[] = {
	FIELD(farjit_frame_record, start),
	FIELD(farjit_frame_record, end),
	FIELD(farjit_frame_record, fde),
	FIELD(farjit_frame_record, cell),
};

static const struct field farjit_frame_node_fields[] = {
	FIELD(farjit_frame_node, record),
	FIELD(farjit_frame_node, next),
	FIELD(farjit_frame_node, previous),
	FIELD(farjit_frame_node, sibling),
};

static const struct field farjit_reentry_slot_fields[] = {
	FIELD(farjit_reentry_slot, state),    FIELD(farjit_reentry_slot, kind),
	FIELD(farjit_reentry_slot, thread_id), FIELD(farjit_reentry_slot, call_slot),
	FIELD(farjit_reentry_slot, token),    FIELD(farjit_reentry_slot, reserved),
	FIELD(farjit_reentry_slot, argument), FIELD(farjit_reentry_slot, answer),
};

static const struct field farjit_call_slot_fields[] = {
	FIELD(farjit_call_slot, state),	   FIELD(farjit_call_slot, thread_id), FIELD(farjit_call_slot, token),
	FIELD(farjit_call_slot, reserved), FIELD(farjit_call_slot, entry),     FIELD(farjit_call_slot, block),
};

static const struct field farjit_confine_fields[] = {
	FIELD(farjit_confine, sandbox),	    FIELD(farjit_confine, user_id),	FIELD(farjit_confine, address_space_bytes),
	FIELD(farjit_confine, data_bytes),  FIELD(farjit_confine, cpu_seconds), FIELD(farjit_confine, threads),
	FIELD(farjit_confine, descriptors), FIELD(farjit_confine, landlock_abi), FIELD(farjit_confine, reserved),
	FIELD(farjit_confine, missing),
};

static const struct field farjit_end_fields[] = {
	FIELD(farjit_end, kind),	  FIELD(farjit_end, signal),	      FIELD(farjit_end, signal_code),
	FIELD(farjit_end, thread_id),	  FIELD(farjit_end, stack_overflow),  FIELD(farjit_end, frame_count),
	FIELD(farjit_end, fault_address), FIELD(farjit_end, program_counter), FIELD(farjit_end, registers),
	FIELD(farjit_end, frames),	  FIELD(farjit_end, message),
};

static const struct field farjit_control_fields[] = {
	FIELD(farjit_control, magic),
	FIELD(farjit_control, layout_version),
	FIELD(farjit_control, code_bytes),
	FIELD(farjit_control, constant_bytes),
	FIELD(farjit_control, control_bytes),
	FIELD(farjit_control, data_bytes),
	FIELD(farjit_control, thread_stack_bytes),
	FIELD(farjit_control, base),
	FIELD(farjit_control, resolver),
	FIELD(farjit_control, count_function),
	FIELD(farjit_control, process_id),
	FIELD(farjit_control, foreign_threads),
	FIELD(farjit_control, hot_pending),
	FIELD(farjit_control, reserved),
	FIELD(farjit_control, confine),
	FIELD(farjit_control, end),
	FIELD(farjit_control, addresses),
	FIELD(farjit_control, names),
	FIELD(farjit_control, hot_pages),
	FIELD(farjit_control, reentry),
	FIELD(farjit_control, calls),
};

static const struct layout layouts[] = {
	LAYOUT(farjit_bell),	  LAYOUT(farjit_frame_record), LAYOUT(farjit_frame_node), LAYOUT(farjit_reentry_slot),
	LAYOUT(farjit_call_slot), LAYOUT(farjit_confine),	LAYOUT(farjit_end),	LAYOUT(farjit_control),
};

static const struct constant constants[] = {
	CONSTANT(FARJIT_LAYOUT_MAGIC),
	CONSTANT(FARJIT_LAYOUT_VERSION),
	CONSTANT(FARJIT_REENTRY_SLOTS),
	CONSTANT(FARJIT_CALL_SLOTS),
	CONSTANT(FARJIT_FRAME_CELL_SHIFT),
	CONSTANT(FARJIT_FRAME_LEVEL_SHIFT),
	CONSTANT(FARJIT_BLOCK_BYTES),
	CONSTANT(FARJIT_NAME_BYTES),
	CONSTANT(FARJIT_TRAP_FRAMES),
	CONSTANT(FARJIT_REGISTERS),
	CONSTANT(FARJIT_COUNTER_PAGE_BYTES),
	CONSTANT(FARJIT_HOT_BITS_OFFSET),
	CONSTANT(FARJIT_DATA_PAGES),
	CONSTANT(FARJIT_MISSING_BYTES),
	CONSTANT(FARJIT_FD_DOORBELL),
	CONSTANT(FARJIT_FD_SEALED),
	CONSTANT(FARJIT_FD_SHARED),
	CONSTANT(FARJIT_BELL_HELLO),
	CONSTANT(FARJIT_BELL_CONFINED),
	CONSTANT(FARJIT_BELL_REENTER),
	CONSTANT(FARJIT_BELL_CALL_DONE),
	CONSTANT(FARJIT_BELL_DONE),
	CONSTANT(FARJIT_BELL_HOT),
	CONSTANT(FARJIT_BELL_LIMIT),
	CONSTANT(FARJIT_BELL_CONFINE),
	CONSTANT(FARJIT_BELL_SPAWN),
	CONSTANT(FARJIT_BELL_SYNC_CORE),
	CONSTANT(FARJIT_BELL_LOOKUP),
	CONSTANT(FARJIT_BELL_PRELOAD),
	CONSTANT(FARJIT_CONFINED_NO_NEW_PRIVS),
	CONSTANT(FARJIT_CONFINED_SECCOMP),
	CONSTANT(FARJIT_CONFINED_OWN_USER),
	CONSTANT(FARJIT_CONFINED_UNDUMPABLE),
	CONSTANT(FARJIT_CONFINED_LANDLOCK),
	CONSTANT(FARJIT_CONFINED_USER_NAMESPACE),
	CONSTANT(FARJIT_CONFINED_NETWORK_NAMESPACE),
	CONSTANT(FARJIT_CONFINED_MOUNT_NAMESPACE),
	CONSTANT(FARJIT_CONFINED_IPC_NAMESPACE),
	CONSTANT(FARJIT_CONFINED_LIMITS),
	CONSTANT(FARJIT_CONFINED_SEALED_MEMORY),
	CONSTANT(FARJIT_SANDBOX_OFF),
	CONSTANT(FARJIT_SANDBOX_DEFAULT),
	CONSTANT(FARJIT_SANDBOX_STRICT),
	CONSTANT(FARJIT_LIMIT_ADDRESS_SPACE),
	CONSTANT(FARJIT_LIMIT_DATA),
	CONSTANT(FARJIT_LIMIT_THREADS),
	CONSTANT(FARJIT_REENTRY_FREE),
	CONSTANT(FARJIT_REENTRY_CLAIMED),
	CONSTANT(FARJIT_REENTRY_POSTED),
	CONSTANT(FARJIT_REENTRY_RELEASED),
	CONSTANT(FARJIT_REENTRY_UNWIND),
	CONSTANT(FARJIT_REENTRY_COMPILE),
	CONSTANT(FARJIT_CALL_NO_WORKER),
	CONSTANT(FARJIT_CALL_IDLE),
	CONSTANT(FARJIT_CALL_POSTED),
	CONSTANT(FARJIT_CALL_RUNNING),
	CONSTANT(FARJIT_CALL_RETURNED),
	CONSTANT(FARJIT_CALL_UNWOUND),
	CONSTANT(FARJIT_END_NONE),
	CONSTANT(FARJIT_END_TRAP),
	CONSTANT(FARJIT_END_UNWIND_FAILED),
	CONSTANT(FARJIT_END_FAULT),
};

static void print_layout(const struct layout *layout)
{
	printf("    \"%s\": {\n      \"bytes\": %zu,\n      \"fields\": {", layout->name, layout->bytes);
	for (size_t i = 0; i < layout->field_count; i++)
		printf("%s\n        \"%s\": { \"offset\": %zu, \"bytes\": %zu }", i ? "," : "", layout->fields[i].name,
		       layout->fields[i].offset, layout->fields[i].bytes);
	printf("\n      }\n    }");
}

void farjit_print_layout(void)
{
	printf("{\n  \"constants\": {");
	for (size_t i = 0; i < COUNT(constants); i++)
		printf("%s\n    \"%s\": %u", i ? "," : "", constants[i].name, constants[i].value);
	printf("\n  },\n  \"structs\": {\n");
	for (size_t i = 0; i < COUNT(layouts); i++) {
		print_layout(&layouts[i]);
		printf("%s\n", i + 1 < COUNT(layouts) ? "," : "");
	}
	printf("  }\n}\n");
}
