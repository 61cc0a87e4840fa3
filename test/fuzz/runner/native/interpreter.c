/* Operations, one after the other, until the program's time is over. */
#include "payload.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum {
	BELLS_AT_ONCE = 4096,
	MAX_DEPTH = 3,
	MAX_STORES = 65536,
	NAP_UNIT_US = 16,
};

uint64_t fuzz_now_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

bool fuzz_is_over(const struct program *program)
{
	return fuzz_now_ns() >= program->end_ns;
}

static uint64_t word(const struct runner_thread *thread, int index)
{
	return thread->program->words[index];
}

static void fail(struct runner_thread *thread, const struct operation *operation)
{
	uint64_t none = 0;
	uint64_t number = (uint64_t)(operation - thread->program->operations) + 1;
	atomic_compare_exchange_strong(&thread->program->failure, &none, number);
}

static void call_system(struct runner_thread *thread, const struct operation *operation)
{
	/* Those that mean something nowhere, or elsewhere: x32's getpid, what the kernel exempts from seccomp. */
	static const long odd[] = {-1, 0x40000000 + 39, 335, 336, 400, 512, 547, 0x7fffffff};
	uint16_t number = operation->values[0];
	uint64_t arguments[6];
	for (int i = 0; i < 6; i++)
		arguments[i] = fuzz_value(thread, operation->values[1 + i]);
	long result = fuzz_system_call(
		number & 0x8000 ? odd[number % (sizeof odd / sizeof odd[0])] : number % FUZZ_SYSTEM_CALLS, arguments);
	thread->results[thread->result_count++ % RESULTS] = (uint64_t)result;
}

/* Mode: the lower two bits are the width, with the highest each value differs. */
static void store(struct runner_thread *thread, const struct operation *operation)
{
	uint64_t address = fuzz_value(thread, operation->values[0]);
	uint64_t value = fuzz_value(thread, operation->values[1]);
	uint32_t count = operation->values[2] % MAX_STORES;
	uint64_t stride = operation->values[3];
	for (uint32_t i = 0; i <= count; i++, address += stride) {
		if (operation->mode & 0x80) {
			value ^= value << 13;
			value ^= value >> 7;
			value ^= value << 17;
		}
		switch (operation->mode & 3) {
		case 0:
			*(volatile uint8_t *)address = (uint8_t)value;
			break;
		case 1:
			*(volatile uint16_t *)address = (uint16_t)value;
			break;
		case 2:
			*(volatile uint32_t *)address = (uint32_t)value;
			break;
		default:
			*(volatile uint64_t *)address = value;
		}
		if (stride == 0 && fuzz_is_over(thread->program))
			return;
	}
}

static bool write_whole(struct program *program, int descriptor, const char *from, size_t bytes)
{
	while (bytes > 0 && !fuzz_is_over(program)) {
		ssize_t written = write(descriptor, from, bytes);
		if (written < 0 && errno == EAGAIN)
			poll(&(struct pollfd){.fd = descriptor, .events = POLLOUT}, 1, 1);
		else if (written < 0)
			return false;
		else
			from += written, bytes -= (size_t)written;
	}
	return bytes == 0;
}

/* Mode: the lower three bits are bytes of one more bell that is never whole; with the highest, the values count up. */
static void ring(struct runner_thread *thread, const struct operation *operation)
{
	struct farjit_bell bells[BELLS_AT_ONCE];
	uint32_t count = operation->values[3];
	uint32_t step = operation->mode & 0x80 ? sizeof(uint32_t) : 0;
	struct farjit_bell bell = {
		.kind = (uint16_t)fuzz_value(thread, operation->values[0]),
		.slot = (uint16_t)fuzz_value(thread, operation->values[1]),
		.value = (uint32_t)fuzz_value(thread, operation->values[2]),
	};
	for (uint32_t i = 0; i < BELLS_AT_ONCE; i++) {
		bells[i] = bell;
		bells[i].value += step * (i % 1000);
	}
	for (uint32_t left = count; left > 0;) {
		uint32_t now = left < BELLS_AT_ONCE ? left : BELLS_AT_ONCE;
		if (!write_whole(thread->program, FARJIT_FD_DOORBELL, (char *)bells, now * sizeof bell))
			return;
		atomic_fetch_add(&thread->program->bells, now);
		left -= now;
	}
	write_whole(thread->program, FARJIT_FD_DOORBELL, (char *)&bell, operation->mode & 7);
}

/* A first call, unless another was before: the code behind a stub doubles its argument. */
static void call_stub(struct runner_thread *thread, const struct operation *operation)
{
	uint64_t stub = word(thread, FUZZ_WORD_STUBS) + 8 * (operation->values[0] % FUZZ_STUBS);
	double argument = operation->values[1];
	double result = ((double (*)(double))stub)(argument);
	if (result != 2 * argument)
		fail(thread, operation);
}

static void count(struct runner_thread *thread, const struct operation *operation)
{
	void (*count_function)(uint64_t) = (void (*)(uint64_t))word(thread, FUZZ_WORD_COUNT_FUNCTION);
	uint64_t counter = fuzz_value(thread, operation->values[0]);
	for (uint32_t i = 0; i < operation->values[1] && !fuzz_is_over(thread->program); i++)
		count_function(counter);
}

/* What the runner does before it rings REENTER, by hand. */
static void post(struct runner_thread *thread, const struct operation *operation)
{
	struct farjit_control *control = (struct farjit_control *)word(thread, FUZZ_WORD_CONTROL);
	struct farjit_reentry_slot *slot = &control->reentry[operation->values[0] % FARJIT_REENTRY_SLOT_COUNT];
	slot->kind = (uint32_t)fuzz_value(thread, operation->values[1]);
	slot->return_address = fuzz_value(thread, operation->values[2]) + TRAMPOLINE_CALL_BYTES;
	slot->thread_id = (uint32_t)fuzz_value(thread, operation->values[3]);
	atomic_store(&slot->state, (uint32_t)fuzz_value(thread, operation->values[4]));
}

static void nap(const struct program *program, uint64_t ns)
{
	uint64_t now_ns = fuzz_now_ns();
	if (now_ns >= program->end_ns)
		return;
	if (ns > program->end_ns - now_ns)
		ns = program->end_ns - now_ns;
	nanosleep(&(struct timespec){.tv_sec = (time_t)(ns / 1000000000u), .tv_nsec = (long)(ns % 1000000000u)}, NULL);
}

static void wait_for(struct runner_thread *thread, const struct operation *operation)
{
	volatile uint32_t *address = (volatile uint32_t *)fuzz_value(thread, operation->values[0]);
	uint32_t value = (uint32_t)fuzz_value(thread, operation->values[1]);
	while (*address != value && !fuzz_is_over(thread->program))
		;
}

static void print(struct runner_thread *thread, const struct operation *operation)
{
	for (uint32_t i = 0; i < operation->values[0]; i++)
		if (!write_whole(thread->program, operation->mode, thread->program->scratch, 1024))
			return;
}

static void repeat(struct runner_thread *thread, uint32_t at, const struct operation *operation)
{
	if (thread->depth == MAX_DEPTH)
		return;
	thread->depth++;
	for (uint32_t i = 0; i < operation->values[1] && !fuzz_is_over(thread->program); i++)
		fuzz_run(thread, at + 1, operation->values[0]);
	thread->depth--;
}

void fuzz_run(struct runner_thread *thread, uint32_t first, uint32_t count_left)
{
	struct program *program = thread->program;
	uint64_t end = (uint64_t)first + count_left;
	for (uint32_t at = first; at < end && at < word(thread, FUZZ_WORD_OPERATIONS) && !fuzz_is_over(program); at++) {
		const struct operation *operation = &program->operations[at];
		atomic_fetch_add(&program->done, 1);
		switch (operation->code % FUZZ_OPERATIONS) {
		case FUZZ_SKIP:
			break;
		case FUZZ_RETURN:
			return;
		case FUZZ_SYSTEM_CALL:
			call_system(thread, operation);
			break;
		case FUZZ_STORE:
			store(thread, operation);
			break;
		case FUZZ_RING:
			ring(thread, operation);
			break;
		case FUZZ_POST:
			post(thread, operation);
			break;
		case FUZZ_STUB:
			call_stub(thread, operation);
			break;
		case FUZZ_COUNT:
			count(thread, operation);
			break;
		case FUZZ_THREAD:
			fuzz_start_thread(thread, operation);
			break;
		case FUZZ_JOIN:
			fuzz_join(thread, operation);
			break;
		case FUZZ_CANCEL:
			fuzz_cancel(thread, operation);
			break;
		case FUZZ_CANCELLABLE:
			pthread_setcanceltype(operation->mode & 1 ? PTHREAD_CANCEL_ASYNCHRONOUS : PTHREAD_CANCEL_DEFERRED, NULL);
			break;
		case FUZZ_EXIT_THREAD:
			if (operation->mode & 1)
				syscall(SYS_exit, 0);
			pthread_exit(NULL);
		case FUZZ_HANDLE_SIGNAL:
			fuzz_handle_signal(thread, operation);
			break;
		case FUZZ_SEND_SIGNAL:
			fuzz_send_signal(thread, operation);
			break;
		case FUZZ_NAP:
			nap(program, (uint64_t)operation->values[0] * NAP_UNIT_US * 1000);
			break;
		case FUZZ_WAIT_FOR:
			wait_for(thread, operation);
			break;
		case FUZZ_TOUCH:
			fuzz_touch(fuzz_value(thread, operation->values[0]), fuzz_value(thread, operation->values[1]));
			break;
		case FUZZ_GRAB:
			fuzz_grab(program, operation->mode, operation->values[0]);
			break;
		case FUZZ_PRINT:
			print(thread, operation);
			break;
		case FUZZ_REPEAT:
			repeat(thread, at, operation);
			at += operation->values[0];
			break;
		}
	}
}

/* What the host calls: `void (*)(void *block)`. The block is not trusted to stay what it is: it is shared. */
void fuzz_entry(uint64_t *block)
{
	struct program *program = mmap(NULL, sizeof *program + SCRATCH_BYTES, PROT_READ | PROT_WRITE,
				       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (program == MAP_FAILED)
		return;
	memcpy(program->words, block, sizeof program->words);
	memcpy(program->operations, block + FUZZ_WORDS, sizeof program->operations);
	program->scratch = (char *)(program + 1);
	program->end_ns = fuzz_now_ns() + program->words[FUZZ_WORD_TIME_MS] * 1000000;
	program->slot = (struct farjit_call_slot *)((char *)block - offsetof(struct farjit_call_slot, block));

	struct runner_thread thread = {.program = program};
	fuzz_run(&thread, (uint32_t)program->words[FUZZ_WORD_FIRST], FUZZ_MAX_OPERATIONS);
	block[FUZZ_WORD_BELLS] = atomic_load(&program->bells);
	block[FUZZ_WORD_DONE] = atomic_load(&program->done);
	block[FUZZ_WORD_FAILURE] = atomic_load(&program->failure);
}
