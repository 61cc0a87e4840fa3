/* Traps: what the report says, and that the process dies of the real signal. */
#include "host.h"

#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>

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
	struct host host = {0};
	host_open(&host);
	host_post_call(&host, 0, host_lookup(&host, "raise"), ARGUMENTS((uint64_t)SIGRTMIN + 6));
	int status = host_wait_end(&host);
	CHECK(WIFSIGNALED(status));
	CHECK_EQUAL(WTERMSIG(status), SIGRTMIN + 6);
	CHECK_EQUAL(host.control->end.kind, FARJIT_END_TRAP);
	CHECK_EQUAL(host.control->end.signal, SIGRTMIN + 6);
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

const struct test_case trap_cases[] = {
	{"reports-a-segmentation-fault", reports_a_segmentation_fault},
	{"reports-a-write-to-code", reports_a_write_to_code},
	{"reports-a-division-by-zero", reports_a_division_by_zero},
	{"reports-a-bus-error", reports_a_bus_error},
	{"reports-an-illegal-instruction-with-all-registers", reports_an_illegal_instruction_with_all_registers},
	{"reports-a-stack-overflow", reports_a_stack_overflow},
	{"reports-a-stack-overflow-in-a-late-destructor", reports_a_stack_overflow_in_a_late_destructor},
	{"tells-a-stack-from-the-guard-below-it", tells_a_stack_from_the_guard_below_it},
	{"reports-the-caller-of-a-null-function", reports_the_caller_of_a_null_function},
	{"reports-a-frame-that-is-its-own-caller-once", reports_a_frame_that_is_its_own_caller_once},
	{"reports-one-of-many-traps", reports_one_of_many_traps},
	{"reports-a-trap-signal-that-code-sent-itself", reports_a_trap_signal_that_code_sent_itself},
	{"reports-a-real-time-signal", reports_a_real_time_signal},
	{0},
};
