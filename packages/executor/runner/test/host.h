/* A host in C for the runner's tests: memory, doorbell, calls and answers, each step by hand. */
#ifndef FARJIT_TEST_HOST_H
#define FARJIT_TEST_HOST_H

#include "../shared_layout.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum {
	CODE_BYTES = 1024 * 1024,
	CONSTANT_BYTES = 256 * 1024,
	DATA_BYTES = 1024 * 1024,
	/* Data the runner maps although the file ends before it: touching it is a bus error. */
	ABSENT_BYTES = 64 * 1024,
	STACK_BYTES = 256 * 1024,
	FRAME_INDEX_BYTES = 4096,
	/* Parts of the data area, as offsets. */
	DATA_EH_FRAME = 0,
	DATA_SCRATCH = 4096,
	NOBODY = 65534,
	OUTPUT_BYTES = 64 * 1024,
	EARLY_BELLS = 64,
	PATIENCE_MS = 20 * 1000,
};

struct host {
	pid_t pid;
	int doorbell;
	int output;
	int input;
	unsigned char *code; /* the host's view of code and constant */
	struct farjit_control *control;
	unsigned char *data;
	uint64_t errno_location; /* in the runner */
	/* Bells that came before the one that was expected. */
	struct farjit_bell early[EARLY_BELLS];
	size_t early_count;
	char printed[OUTPUT_BYTES];
	size_t printed_bytes;
};

/* How a runner is started; zero is the usual way. */
struct host_options {
	bool unsealed;
	bool nonblocking; /* its end of the doorbell */
	uint32_t layout_version; /* 0: the right one */
	const char *preloaded;	 /* a library beside the driver, before all others */
	void (*prepare)(struct farjit_control *control); /* changes what the runner is told */
};

#define CHECK(condition)                                                                                               \
	do {                                                                                                           \
		if (!(condition))                                                                                      \
			fail(__FILE__, __LINE__, #condition);                                                          \
	} while (0)
#define CHECK_EQUAL(actual, expected) check_equal(__FILE__, __LINE__, #actual, (uint64_t)(actual), (uint64_t)(expected))

_Noreturn void fail(const char *file, int line, const char *what);
void check_equal(const char *file, int line, const char *what, uint64_t actual, uint64_t expected);

/* Maps, spawns; returns before HELLO. */
void host_start(struct host *host, struct host_options options);
/* Confines, after HELLO; writes the payload and a trampoline block; answers the bits in force. */
uint32_t host_confine(struct host *host, uint32_t user_id);
/* Starts, hears HELLO, confines without changing the user. */
void host_open(struct host *host);
void host_ring(struct host *host, uint16_t kind, uint16_t slot, uint32_t value);
/* Next bell of `kind`; those of other kinds, from threads that were faster, are kept for later. */
struct farjit_bell host_expect(struct host *host, uint16_t kind);
/* True if a bell or the end comes within the time. */
bool host_hears(struct host *host, int timeout_ms);
/* Waits for the runner's death and drains its output; answers the wait status. */
int host_wait_end(struct host *host);
/* Kills the runner. */
void host_close(struct host *host);
void host_drain_output(struct host *host);

/* Writes payload, resolver pointer and TRAMPOLINES trampolines. */
void host_write_code(struct host *host);
enum { TRAMPOLINES = 16, TRAMPOLINE_BYTES = 8, TRAMPOLINE_CALL_BYTES = 6 };
uint64_t trampoline(const struct host *host, int index);
/* Where that trampoline's call would return to. */
uint64_t trampoline_return(const struct host *host, int index);
/* The call slot whose worker that thread is, or FARJIT_CALL_SLOT_COUNT. */
uint32_t call_slot_of(const struct host *host, uint32_t thread_id);
/* Address in the runner of a symbol of payload_x86_64.S, and the host's pointer to it. */
uint64_t payload(const struct host *host, const void *symbol);
void *payload_view(const struct host *host, const void *symbol);
uint64_t data_address(const struct host *host, size_t offset);
uint64_t control_address(const struct host *host, const void *field);
/* Puts an .eh_frame for the whole payload into the index. */
void publish_eh_frame(struct host *host);
/* The same for what is before `end`, a symbol of the payload; `personality` is one, too, or NULL. */
void publish_eh_frame_before(struct host *host, const char *end, const char *personality);
/* Takes it out again. */
void forget_eh_frame(struct host *host);
struct farjit_frame_index *host_frame_index(struct host *host);

/* Argument block of the payload's call_c. */
struct call_c {
	uint64_t function;
	uint64_t argument[6];
	uint64_t vector_count; /* al */
	double real[2];
	uint64_t errno_location;
	uint64_t error; /* errno before, then after */
	uint64_t result;
	double real_result;
};

_Static_assert(sizeof(struct call_c) == 112, "CALL_C_BYTES in payload_x86_64.S");

uint64_t host_lookup(struct host *host, const char *name);
/* The same, in these libraries only: bits of enum farjit_library. */
uint64_t host_lookup_in(struct host *host, uint16_t libraries, const char *name);
void host_spawn(struct host *host, uint32_t slot);
struct call_c *call_block(struct host *host, uint32_t slot);
/* Posts payload function `entry` with what the block holds. */
void host_post(struct host *host, uint32_t slot, const void *entry);
/* The same, for what is at an address in the runner. */
void host_post_address(struct host *host, uint32_t slot, uint64_t entry);
/* After CALL_DONE: IDLE again; answers the state it had. */
uint32_t host_finish(struct host *host, uint32_t slot);
/* call_c of `function` on slot 0, start to end. errno in *error unless NULL. */
uint64_t host_call(struct host *host, uint64_t function, const uint64_t argument[6], int *error);
/* Posts call_c of `function` on `slot` and returns at once. */
void host_post_call(struct host *host, uint32_t slot, uint64_t function, const uint64_t argument[6]);
/* Calls one function after the other, in one call on slot 0. */
void host_post_both(struct host *host, uint64_t first, const uint64_t first_argument[6], uint64_t second,
		    const uint64_t second_argument[6]);
/* Prints `text`, which stays in stdout's buffer, and calls `function`, in one call on slot 0. */
void host_post_print_and_call(struct host *host, const char *text, uint64_t function, const uint64_t argument[6]);
#define ARGUMENTS(...) ((const uint64_t[6]){__VA_ARGS__})

/* Answers a reentry slot. */
void host_release(struct host *host, uint32_t slot, uint64_t landing);
void host_unwind(struct host *host, uint32_t slot, uint32_t token);
void host_set_reentry(struct host *host, uint32_t slot, uint32_t state);

/* The cases, by file. */
struct test_case {
	const char *name;
	void (*run)(void);
};
extern const struct test_case call_cases[], reentry_cases[], leaving_cases[], trap_cases[], sandbox_cases[],
	filter_cases[], feature_cases[], bound_cases[], limit_cases[], program_cases[], thread_cases[], cancel_cases[],
	frame_cases[], unwinding_cases[], replacing_cases[];
/* The runner's path, from the command line, and whether it is to confine itself. */
extern const char *runner_path;
extern bool runner_is_confined;

#endif
