/* Traps: what the report says, and that the process dies of the real signal. */
#include "host.h"

#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

extern const char call_c_return[], call_two_return[], destroy_again[];
extern const char trap_registers[], trap_registers_at[], trap_segv[], trap_segv_at[], trap_code_write[],
	trap_code_write_at[], trap_divide[], trap_divide_at[], trap_bus[], trap_bus_at[], trap_overflow[],
	trap_overflow_return[], trap_call_null[], trap_call_null_return[], trap_own_caller[];

enum where { ON_WORKER, ON_FOREIGN_THREAD };

/* Runs `function` there until it has killed the runner, on the worker with text left in stdout's buffer; answers the report. */
static const struct farjit_end *trap(struct host *host, const char *function, enum where where, int signal)
{
	host_open(host);
	uint64_t absent = data_address(host, DATA_BYTES);
	if (where == ON_WORKER)
		host_post_print_and_call(host, "last words", payload(host, function), ARGUMENTS(absent));
	else
		host_post_call(host, 0, host_lookup(host, "pthread_create"),
			       ARGUMENTS(data_address(host, DATA_SCRATCH), 0, payload(host, function), absent));
	int status = host_wait_end(host);
	CHECK(WIFSIGNALED(status));
	CHECK_EQUAL(WTERMSIG(status), signal);
	CHECK(!WCOREDUMP(status));
	const struct farjit_end *end = &host->control->end;
	CHECK_EQUAL(end->kind, FARJIT_END_TRAP);
	CHECK_EQUAL(end->signal, signal);
	if (where == ON_WORKER) {
		CHECK_EQUAL(end->thread_id, host->control->calls[0].thread_id);
		CHECK(strcmp(host->printed, "last words") == 0);
	}
	if (where == ON_FOREIGN_THREAD)
		CHECK(end->thread_id != 0 && end->thread_id != host->control->calls[0].thread_id);
	return end;
}

/* What si_addr must be: the instruction for SIGILL and SIGFPE, the memory it wanted for the others. */
static uint64_t fault_address(const struct host *host, const char *at, int signal, int code)
{
	if (signal == SIGBUS)
		return data_address(host, DATA_BYTES);
	if (signal == SIGSEGV)
		return code == SEGV_ACCERR ? host->control->base : 0x1008;
	return payload(host, at);
}

/* A trap right under call_c or under the runner's thread start. */
static void check_trap(const char *function, const char *at, int signal, int code)
{
	for (enum where where = ON_WORKER; where <= ON_FOREIGN_THREAD; where++) {
		struct host host = {0};
		const struct farjit_end *end = trap(&host, function, where, signal);
		CHECK_EQUAL(end->signal_code, code);
		CHECK_EQUAL(end->stack_overflow, 0);
		CHECK_EQUAL(end->program_counter, payload(&host, at));
		CHECK_EQUAL(end->registers[16], payload(&host, at));
		CHECK_EQUAL(end->fault_address, fault_address(&host, at, signal, code));
		/* The callers, then the runner's frame where the chain ends. */
		CHECK(end->frame_count > 0);
		if (where == ON_WORKER) {
			CHECK_EQUAL(end->frame_count, 3);
			CHECK_EQUAL(end->frames[0], payload(&host, call_c_return));
			CHECK_EQUAL(end->frames[1], payload(&host, call_two_return));
		}
	}
}

static void reports_a_segmentation_fault(void)
{
	check_trap(trap_segv, trap_segv_at, SIGSEGV, SEGV_MAPERR);
}

static void reports_a_write_to_code(void)
{
	check_trap(trap_code_write, trap_code_write_at, SIGSEGV, SEGV_ACCERR);
}

static void reports_a_division_by_zero(void)
{
	check_trap(trap_divide, trap_divide_at, SIGFPE, FPE_INTDIV);
}

static void reports_a_bus_error(void)
{
	check_trap(trap_bus, trap_bus_at, SIGBUS, BUS_ADRERR);
}

static void reports_an_illegal_instruction_with_all_registers(void)
{
	check_trap(trap_registers, trap_registers_at, SIGILL, ILL_ILLOPN);
	struct host host = {0};
	const struct farjit_end *end = trap(&host, trap_registers, ON_WORKER, SIGILL);
	for (int i = 0; i < 16; i++)
		if (i != 6 && i != 7) /* rbp, rsp */
			CHECK_EQUAL(end->registers[i], 0x10 + i);
	CHECK_EQUAL(end->registers[6], end->registers[7]); /* just after the prologue */
	CHECK(end->registers[17] & 2);			    /* rflags: bit 1 is always set */
}

static void reports_a_stack_overflow(void)
{
	for (enum where where = ON_WORKER; where <= ON_FOREIGN_THREAD; where++) {
		struct host host = {0};
		const struct farjit_end *end = trap(&host, trap_overflow, where, SIGSEGV);
		CHECK_EQUAL(end->stack_overflow, 1);
		CHECK_EQUAL(end->frame_count, FARJIT_TRAP_FRAME_COUNT);
		CHECK_EQUAL(end->frames[0], payload(&host, trap_overflow_return));
		CHECK_EQUAL(end->frames[FARJIT_TRAP_FRAME_COUNT - 1], payload(&host, trap_overflow_return));
		CHECK(end->fault_address - end->registers[7] + 4096 < 8192);
	}
}

static void reports_the_caller_of_a_null_function(void)
{
	struct host host = {0};
	const struct farjit_end *end = trap(&host, trap_call_null, ON_WORKER, SIGSEGV);
	CHECK_EQUAL(end->program_counter, 0);
	CHECK_EQUAL(end->frames[0], payload(&host, trap_call_null_return));
	CHECK_EQUAL(end->frames[1], payload(&host, call_c_return));
}

/* A chain of frames goes up the stack, or has an end. */
static void reports_a_frame_that_is_its_own_caller_once(void)
{
	struct host host = {0};
	const struct farjit_end *end = trap(&host, trap_own_caller, ON_WORKER, SIGILL);
	CHECK_EQUAL(end->frame_count, 1);
	CHECK_EQUAL(end->frames[0], payload(&host, call_c_return));
}

static void reports_one_of_many_traps(void)
{
	enum { THREADS = 8 };
	struct host host = {0};
	host_open(&host);
	for (uint32_t i = 0; i < THREADS; i++)
		host_post_call(&host, i, trampoline(&host, 0), ARGUMENTS(0));
	uint16_t slots[THREADS];
	for (int i = 0; i < THREADS; i++)
		slots[i] = host_expect(&host, FARJIT_BELL_REENTER).slot;
	for (int i = 0; i < THREADS; i++)
		host_release(&host, slots[i], payload(&host, trap_segv));
	int status = host_wait_end(&host);
	CHECK(WIFSIGNALED(status));
	CHECK_EQUAL(WTERMSIG(status), SIGSEGV);
	CHECK_EQUAL(host.control->end.kind, FARJIT_END_TRAP);
	CHECK_EQUAL(host.control->end.program_counter, payload(&host, trap_segv_at));
}

static void reports_a_trap_signal_that_code_sent_itself(void)
{
	struct host host = {0};
	host_open(&host);
	host_post_call(&host, 0, host_lookup(&host, "raise"), ARGUMENTS(SIGSEGV));
	int status = host_wait_end(&host);
	CHECK(WIFSIGNALED(status));
	CHECK_EQUAL(WTERMSIG(status), SIGSEGV);
	CHECK_EQUAL(host.control->end.kind, FARJIT_END_TRAP);
	CHECK_EQUAL(host.control->end.signal_code, SI_TKILL);
	CHECK_EQUAL(host.control->end.fault_address, 0);
	CHECK_EQUAL(host.control->end.stack_overflow, 0);
}

static void reports_a_real_time_signal(void)
{
	const int signals[] = {SIGRTMIN, SIGRTMIN + 6, SIGRTMAX};
	for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++) {
		struct host host = {0};
		host_open(&host);
		host_post_call(&host, 0, host_lookup(&host, "raise"), ARGUMENTS((uint64_t)signals[i]));
		int status = host_wait_end(&host);
		CHECK(WIFSIGNALED(status));
		CHECK_EQUAL(WTERMSIG(status), signals[i]);
		CHECK_EQUAL(host.control->end.kind, FARJIT_END_TRAP);
		CHECK_EQUAL(host.control->end.signal, signals[i]);
	}
}

/* What stdout says is pending, where a program may have written anything: what is in its buffer is written, and of what is not
 * nothing. */
static void writes_what_is_pending_in_the_buffer_and_nothing_else(void)
{
	enum { BUFFER_BYTES = 16 * 1024, LINE_BYTES = 17 };
	/* From the start of the buffer. */
	static const struct {
		int64_t from, to;
		size_t written;
	} pending[] = {
		{0, BUFFER_BYTES, BUFFER_BYTES}, {3, 10, 7}, {10, 10, 0}, {10, 3, 0}, {-1, 10, 0}, {0, BUFFER_BYTES + 1, 0},
	};
	for (size_t i = 0; i < sizeof pending / sizeof pending[0]; i++) {
		struct host host = {0};
		host_open(&host);
		uint64_t copy = host_lookup(&host, "memcpy"), scratch = data_address(&host, DATA_SCRATCH);
		uint64_t *words = (uint64_t *)(host.data + DATA_SCRATCH);
		memcpy(words, "0123456789abcdef\n", LINE_BYTES + 1);
		host_call(&host, host_lookup(&host, "printf"), ARGUMENTS(scratch), NULL);
		host_call(&host, copy, ARGUMENTS(scratch, host_lookup(&host, "stdout"), sizeof *words), NULL);
		uint64_t file = words[0];
		host_call(&host, copy, ARGUMENTS(scratch, file + offsetof(FILE, _IO_buf_base), sizeof *words), NULL);
		const uint64_t base = words[0];
		words[0] = base + (uint64_t)pending[i].from;
		words[1] = base + (uint64_t)pending[i].to;
		_Static_assert(offsetof(FILE, _IO_write_ptr) == offsetof(FILE, _IO_write_base) + 8, "both at once");
		host_post_both(&host, copy, ARGUMENTS(file + offsetof(FILE, _IO_write_base), scratch, 2 * sizeof *words),
			       payload(&host, trap_segv), ARGUMENTS(0));
		CHECK(WIFSIGNALED(host_wait_end(&host)));
		CHECK_EQUAL(host.printed_bytes, LINE_BYTES + pending[i].written);
		if (pending[i].written > 0)
			CHECK(memcmp(host.printed + LINE_BYTES, host.printed + pending[i].from, 7) == 0);
	}
}

/* Destructors of the program's run beside the runner's own, round after round: the stack that traps are handled on is there
 * until the last. */
static void reports_a_stack_overflow_in_a_late_destructor(void)
{
	enum { DATA_KEY = DATA_SCRATCH + 16, DATA_AREA = DATA_SCRATCH + 64, ROUNDS = 3 };
	struct host host = {0};
	host_open(&host);
	uint64_t area = data_address(&host, DATA_AREA), destructor = payload(&host, destroy_again);
	CHECK_EQUAL(host_call(&host, host_lookup(&host, "pthread_key_create"), ARGUMENTS(data_address(&host, DATA_KEY), destructor),
			      NULL),
		    0);
	const uint64_t words[] = {host_lookup(&host, "pthread_setspecific"), *(uint32_t *)(host.data + DATA_KEY),
				  payload(&host, trap_overflow), 1 + ROUNDS};
	memcpy(host.data + DATA_AREA, words, sizeof words);
	host_post_call(&host, 0, host_lookup(&host, "pthread_create"),
		       ARGUMENTS(data_address(&host, DATA_SCRATCH), 0, destructor, area));
	CHECK(WIFSIGNALED(host_wait_end(&host)));
	CHECK_EQUAL(host.control->end.kind, FARJIT_END_TRAP);
	CHECK_EQUAL(host.control->end.stack_overflow, 1);
}

/* Reads `offset` bytes from the start of the worker's stack, of which the first page cannot be read. */
static void check_fault_near_stack(int64_t offset, uint32_t is_overflow)
{
	enum { DATA_ATTRIBUTES = DATA_SCRATCH + 64 };
	struct host host = {0};
	host_open(&host);
	uint64_t attributes = data_address(&host, DATA_ATTRIBUTES);
	uint64_t start = data_address(&host, DATA_SCRATCH), bytes = data_address(&host, DATA_SCRATCH + 8);
	uint64_t self = host_call(&host, host_lookup(&host, "pthread_self"), ARGUMENTS(0), NULL);
	host_call(&host, host_lookup(&host, "pthread_getattr_np"), ARGUMENTS(self, attributes), NULL);
	host_call(&host, host_lookup(&host, "pthread_attr_getstack"), ARGUMENTS(attributes, start, bytes), NULL);
	uint64_t stack = *(uint64_t *)(host.data + DATA_SCRATCH);
	CHECK_EQUAL(host_call(&host, host_lookup(&host, "mprotect"), ARGUMENTS(stack, 4096, PROT_NONE), NULL), 0);
	host_post_call(&host, 0, payload(&host, trap_bus), ARGUMENTS(stack + (uint64_t)offset));
	CHECK(WIFSIGNALED(host_wait_end(&host)));
	CHECK_EQUAL(host.control->end.fault_address, stack + (uint64_t)offset);
	CHECK_EQUAL(host.control->end.stack_overflow, is_overflow);
}

static void tells_a_stack_from_the_guard_below_it(void)
{
	check_fault_near_stack(0, 0);
	check_fault_near_stack(-1, 1);
	check_fault_near_stack(-1024 * 1024, 1);
}

/* Reads eight bytes so far from the start of the stack that a thread handles traps on. */
static void check_read_near_signal_stack(int64_t offset, int signal)
{
	enum { PAGE = 4096 };
	struct host host = {0};
	host_open(&host);
	stack_t *own = (stack_t *)(host.data + DATA_SCRATCH);
	CHECK_EQUAL(host_call(&host, host_lookup(&host, "sigaltstack"), ARGUMENTS(0, data_address(&host, DATA_SCRATCH)), NULL), 0);
	CHECK_EQUAL(own->ss_flags, 0);
	CHECK_EQUAL((uint64_t)own->ss_sp % PAGE, 0);
	CHECK_EQUAL(own->ss_size % PAGE, 0);
	/* What the kernel puts there, and as much again for who looks at it. */
	CHECK(own->ss_size >= (size_t)sysconf(_SC_MINSIGSTKSZ) + 32 * 1024);
	host_post_call(&host, 0, payload(&host, trap_bus), ARGUMENTS((uint64_t)own->ss_sp + (uint64_t)offset));
	int status = host_wait_end(&host);
	CHECK(WIFSIGNALED(status));
	CHECK_EQUAL(WTERMSIG(status), signal);
	CHECK_EQUAL(host.control->end.signal, signal);
}

/* All of it can be used, and what grows out of it is noticed. What comes after the read is an illegal instruction. */
static void handles_traps_on_a_stack_with_a_guard(void)
{
	check_read_near_signal_stack(0, SIGILL);
	check_read_near_signal_stack(-8, SIGSEGV);
	check_read_near_signal_stack(-4096, SIGSEGV);
}

const struct test_case trap_cases[] = {
	{"reports-a-segmentation-fault", reports_a_segmentation_fault},
	{"reports-a-write-to-code", reports_a_write_to_code},
	{"reports-a-division-by-zero", reports_a_division_by_zero},
	{"reports-a-bus-error", reports_a_bus_error},
	{"reports-an-illegal-instruction-with-all-registers", reports_an_illegal_instruction_with_all_registers},
	{"reports-a-stack-overflow", reports_a_stack_overflow},
	{"reports-a-stack-overflow-in-a-late-destructor", reports_a_stack_overflow_in_a_late_destructor},
	{"tells-a-stack-from-the-guard-below-it", tells_a_stack_from_the_guard_below_it},
	{"handles-traps-on-a-stack-with-a-guard", handles_traps_on_a_stack_with_a_guard},
	{"reports-the-caller-of-a-null-function", reports_the_caller_of_a_null_function},
	{"reports-a-frame-that-is-its-own-caller-once", reports_a_frame_that_is_its_own_caller_once},
	{"reports-one-of-many-traps", reports_one_of_many_traps},
	{"reports-a-trap-signal-that-code-sent-itself", reports_a_trap_signal_that_code_sent_itself},
	{"reports-a-real-time-signal", reports_a_real_time_signal},
	{"writes-what-is-pending-in-the-buffer-and-nothing-else", writes_what_is_pending_in_the_buffer_and_nothing_else},
	{0},
};
