/* The host that the cases have, in C. More than 400 lines: a function for each thing that a case has it do. */
#include "host.h"

#include "../futex.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>

extern const char payload_start[], payload_end[], call_c[], call_two[];

const char *runner_path;
bool runner_is_confined;

_Noreturn void fail(const char *file, int line, const char *what)
{
	fprintf(stderr, "%s:%d: failed: %s\n", file, line, what);
	exit(1);
}

void check_equal(const char *file, int line, const char *what, uint64_t actual, uint64_t expected)
{
	if (actual == expected)
		return;
	fprintf(stderr, "%s:%d: %s is %llu (%#llx), expected %llu (%#llx)\n", file, line, what,
		(unsigned long long)actual, (unsigned long long)actual, (unsigned long long)expected,
		(unsigned long long)expected);
	exit(1);
}

static uint64_t control_bytes(void)
{
	uint64_t page_bytes = (uint64_t)sysconf(_SC_PAGESIZE);
	return (sizeof(struct farjit_control) + page_bytes - 1) & ~(page_bytes - 1);
}

static int make_memfd(const char *name, uint64_t bytes, unsigned char **view)
{
	int descriptor = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	CHECK(descriptor >= 0);
	CHECK(ftruncate(descriptor, (off_t)bytes) == 0);
	*view = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
	CHECK(*view != MAP_FAILED);
	return descriptor;
}

/* A library that make puts beside this driver. */
static void preload(const char *library)
{
	char path[PATH_MAX];
	ssize_t length = readlink("/proc/self/exe", path, sizeof path - strlen(library) - 1);
	CHECK(length > 0);
	path[length] = 0;
	strcpy(strrchr(path, '/') + 1, library);
	CHECK(access(path, R_OK) == 0);
	setenv("LD_PRELOAD", path, 1);
}

/* Child side: descriptors as the runner expects them. All are moved high first, so that none overwrites another. */
static void become_runner(int doorbell, int output, int sealed, int shared, int input, const char *library)
{
	if (library)
		preload(library);
	const int from[] = {open("/dev/null", O_RDONLY), output, STDERR_FILENO, doorbell, sealed, shared, input};
	enum { DESCRIPTORS = sizeof from / sizeof from[0] };
	int high[DESCRIPTORS];
	for (int i = 0; i < DESCRIPTORS; i++)
		high[i] = fcntl(from[i], F_DUPFD_CLOEXEC, 100);
	for (int i = 0; i < DESCRIPTORS; i++)
		dup2(high[i], i);
	execl(runner_path, "farjit-runner", (char *)NULL);
	fprintf(stderr, "cannot run %s: %s\n", runner_path, strerror(errno));
	_exit(127);
}

void host_start(struct host *host, struct host_options options)
{
	memset(host, 0, sizeof *host);
	int sealed = make_memfd("sealed", CODE_BYTES + CONSTANT_BYTES, &host->code);
	unsigned char *shared_view;
	int shared = make_memfd("shared", control_bytes() + DATA_BYTES, &shared_view);
	host->control = (struct farjit_control *)shared_view;
	host->data = shared_view + control_bytes();
	*host->control = (struct farjit_control){
		.header = {
			.magic = FARJIT_LAYOUT_MAGIC,
			.layout_version = options.layout_version ? options.layout_version : FARJIT_LAYOUT_VERSION,
			.code_bytes = CODE_BYTES,
			.constant_bytes = CONSTANT_BYTES,
			.control_bytes = control_bytes(),
			.data_bytes = DATA_BYTES + ABSENT_BYTES,
			.thread_stack_bytes = STACK_BYTES,
			.frame_index_bytes = FRAME_INDEX_BYTES,
		},
		.confine = {
			.sandbox = runner_is_confined ? FARJIT_SANDBOX_DEFAULT : FARJIT_SANDBOX_OFF,
			.address_space_bytes = UINT64_MAX,
			.data_bytes = UINT64_MAX,
			.cpu_seconds = UINT64_MAX,
			.threads = UINT32_MAX,
			.descriptors = 16,
		},
	};
	if (options.prepare)
		options.prepare(host->control);
	if (!options.unsealed)
		CHECK(fcntl(sealed, F_ADD_SEALS, F_SEAL_FUTURE_WRITE | F_SEAL_GROW | F_SEAL_SHRINK) == 0);
	CHECK(fcntl(shared, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK) == 0);

	int doorbell[2], output[2], input[2];
	CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, doorbell) == 0);
	if (options.nonblocking)
		CHECK(fcntl(doorbell[1], F_SETFL, O_NONBLOCK) == 0);
	CHECK(pipe2(output, O_CLOEXEC) == 0);
	CHECK(pipe2(input, O_CLOEXEC) == 0);
	host->pid = fork();
	CHECK(host->pid >= 0);
	if (host->pid == 0)
		become_runner(doorbell[1], output[1], sealed, shared, input[0], options.preloaded);
	close(doorbell[1]);
	close(output[1]);
	close(input[0]);
	close(sealed);
	close(shared);
	host->doorbell = doorbell[0];
	host->output = output[0];
	host->input = input[1];
	CHECK(fcntl(host->output, F_SETFL, O_NONBLOCK) == 0);
}

uint32_t host_confine(struct host *host, uint32_t user_id)
{
	host_write_code(host);
	host->control->confine.user_id = user_id;
	host_ring(host, FARJIT_BELL_CONFINE, 0, 0);
	uint32_t bits = host_expect(host, FARJIT_BELL_CONFINED).value;
	host->errno_location = host_lookup(host, "__errno_location");
	return bits;
}

void host_open(struct host *host)
{
	host_start(host, (struct host_options){0});
	host_expect(host, FARJIT_BELL_HELLO);
	host_confine(host, 0);
}

void host_ring(struct host *host, uint16_t kind, uint16_t slot, uint32_t value)
{
	struct farjit_bell bell = {.kind = kind, .slot = slot, .value = value};
	CHECK(write(host->doorbell, &bell, sizeof bell) == sizeof bell);
}

bool host_hears(struct host *host, int timeout_ms)
{
	struct pollfd doorbell = {.fd = host->doorbell, .events = POLLIN};
	return host->early_count > 0 || poll(&doorbell, 1, timeout_ms) == 1;
}

static struct farjit_bell next_bell(struct host *host)
{
	struct farjit_bell bell;
	struct pollfd doorbell = {.fd = host->doorbell, .events = POLLIN};
	CHECK(poll(&doorbell, 1, PATIENCE_MS) == 1);
	ssize_t got = recv(host->doorbell, &bell, sizeof bell, MSG_WAITALL);
	if (got != (ssize_t)sizeof bell) {
		fprintf(stderr, "the runner is gone, end kind %u: %s\n", host->control->end.kind,
			host->control->end.message);
		CHECK(got == (ssize_t)sizeof bell);
	}
	return bell;
}

struct farjit_bell host_expect(struct host *host, uint16_t kind)
{
	for (size_t i = 0; i < host->early_count; i++) {
		struct farjit_bell bell = host->early[i];
		if (bell.kind != kind)
			continue;
		host->early_count--;
		memmove(host->early + i, host->early + i + 1, (host->early_count - i) * sizeof bell);
		return bell;
	}
	for (;;) {
		struct farjit_bell bell = next_bell(host);
		if (bell.kind == kind)
			return bell;
		CHECK(host->early_count < EARLY_BELLS);
		host->early[host->early_count++] = bell;
	}
}

void host_drain_output(struct host *host)
{
	for (;;) {
		ssize_t got = read(host->output, host->printed + host->printed_bytes,
				   sizeof host->printed - 1 - host->printed_bytes);
		if (got <= 0)
			return;
		host->printed_bytes += (size_t)got;
		host->printed[host->printed_bytes] = 0;
	}
}

int host_wait_end(struct host *host)
{
	int status;
	char ignored[64];
	struct pollfd doorbell = {.fd = host->doorbell, .events = POLLIN};
	/* The doorbell closes with the process: wait for that with patience, and only then without. */
	do
		CHECK(poll(&doorbell, 1, PATIENCE_MS) == 1);
	while (read(host->doorbell, ignored, sizeof ignored) > 0);
	CHECK(waitpid(host->pid, &status, 0) == host->pid);
	host_drain_output(host);
	return status;
}

void host_close(struct host *host)
{
	int status;
	kill(host->pid, SIGKILL);
	CHECK(waitpid(host->pid, &status, 0) == host->pid);
}

void host_write_code(struct host *host)
{
	memcpy(host->code, payload_start, (size_t)(payload_end - payload_start));
	memcpy(host->code + CODE_BYTES, &host->control->resolver, sizeof host->control->resolver);
	for (int i = 0; i < TRAMPOLINES; i++) {
		size_t offset = (size_t)(trampoline(host, i) - host->control->base);
		/* callq *disp32(%rip); the pointer is the first word of the constant part */
		unsigned char call[TRAMPOLINE_CALL_BYTES] = {0xff, 0x15};
		int32_t displacement = (int32_t)(CODE_BYTES - (offset + sizeof call));
		memcpy(call + 2, &displacement, sizeof displacement);
		memcpy(host->code + offset, call, sizeof call);
	}
}

uint64_t trampoline(const struct host *host, int index)
{
	return host->control->base + CODE_BYTES / 2 + (uint64_t)index * TRAMPOLINE_BYTES;
}

uint64_t trampoline_return(const struct host *host, int index)
{
	return trampoline(host, index) + TRAMPOLINE_CALL_BYTES;
}

uint32_t call_slot_of(const struct host *host, uint32_t thread_id)
{
	uint32_t slot = 0;
	while (slot < FARJIT_CALL_SLOT_COUNT && host->control->calls[slot].thread_id != thread_id)
		slot++;
	return slot;
}

uint64_t payload(const struct host *host, const void *symbol)
{
	return host->control->base + (uint64_t)((const char *)symbol - payload_start);
}

void *payload_view(const struct host *host, const void *symbol)
{
	return host->code + ((const char *)symbol - payload_start);
}

uint64_t control_address(const struct host *host, const void *field)
{
	return host->control->base + CODE_BYTES + CONSTANT_BYTES +
	       (uint64_t)((const char *)field - (const char *)host->control);
}

uint64_t data_address(const struct host *host, size_t offset)
{
	return control_address(host, host->data + offset);
}

/* The index is one page at the end of the constant part; its last head is that of all code. */
struct farjit_frame_index *host_frame_index(struct host *host)
{
	return (struct farjit_frame_index *)(host->code + CODE_BYTES + CONSTANT_BYTES - FRAME_INDEX_BYTES);
}

enum { ALL_CODE_CELL = 256 + 32 + 4 };

void publish_eh_frame(struct host *host)
{
	publish_eh_frame_before(host, payload_end, NULL);
}

void publish_eh_frame_before(struct host *host, const char *end, const char *personality)
{
	/* .eh_frame, LSB chapter 10.6: one CIE whose rules hold for the body of every payload function, and one
	 * FDE with absolute addresses. DWARF numbers: rbp is 6, the return address 16. */
	struct __attribute__((packed)) {
		uint32_t cie_bytes, cie_identifier;
		unsigned char head[9];
		uint64_t personality;
		unsigned char rules[7];
		uint32_t fde_bytes, cie_offset;
		uint64_t start, bytes;
		unsigned char augmentation[4];
		uint32_t end;
	} frame = {
		.cie_bytes = 4 + 9 + 8 + 7,
		/* Version, augmentation, code and data alignment 1 and -8, RA; bytes of the augmentation, an absolute address. */
		.head = {1, 'z', 'P', 0, 1, 0x78, 16, 9, 0},
		.personality = personality ? payload(host, personality) : 0,
		/* CFA = rbp + 16, RA at CFA - 8, rbp at CFA - 16. */
		.rules = {0x0c, 6, 16, 0x80 | 16, 1, 0x80 | 6, 2},
		.fde_bytes = 4 + 2 * 8 + 4,
		.start = host->control->base,
		.bytes = (uint64_t)(end - payload_start),
	};
	const size_t cie_bytes = offsetof(__typeof__(frame), fde_bytes);
	frame.cie_offset = (uint32_t)cie_bytes + 4;
	memcpy(host->data + DATA_EH_FRAME, &frame, sizeof frame);
	size_t node_offset = CODE_BYTES + CONSTANT_BYTES / 2;
	uint64_t fde = data_address(host, DATA_EH_FRAME) + cie_bytes - host->control->base;
	*(struct farjit_frame_node *)(host->code + node_offset) = (struct farjit_frame_node){
		.record = {.start = 0, .end = (uint32_t)frame.bytes, .fde = (uint32_t)fde, .cell = ALL_CODE_CELL},
	};
	atomic_store(&host_frame_index(host)->heads[ALL_CODE_CELL], node_offset);
}

void forget_eh_frame(struct host *host)
{
	atomic_store(&host_frame_index(host)->heads[ALL_CODE_CELL], 0);
	atomic_fetch_add(&host_frame_index(host)->removals, 1);
}

uint64_t host_lookup(struct host *host, const char *name)
{
	return host_lookup_in(host, FARJIT_LIBRARY_KALEIDOSCOPE, name);
}

uint64_t host_lookup_in(struct host *host, uint16_t libraries, const char *name)
{
	strcpy(host->control->names, name);
	host->control->addresses[0] = UINT64_MAX;
	host_ring(host, FARJIT_BELL_LOOKUP, libraries, 1);
	host_expect(host, FARJIT_BELL_DONE);
	return host->control->addresses[0];
}

void host_spawn(struct host *host, uint32_t slot)
{
	host_ring(host, FARJIT_BELL_SPAWN, (uint16_t)slot, 0);
}

struct call_c *call_block(struct host *host, uint32_t slot)
{
	return (struct call_c *)host->control->calls[slot].block;
}

static void set_state(_Atomic uint32_t *state, uint32_t value)
{
	atomic_store(state, value);
	farjit_futex_wake(state);
}

void host_post(struct host *host, uint32_t slot, const void *entry)
{
	host_post_address(host, slot, payload(host, entry));
}

void host_post_address(struct host *host, uint32_t slot, uint64_t entry)
{
	host->control->calls[slot].entry = entry;
	set_state(&host->control->calls[slot].state, FARJIT_CALL_POSTED);
}

uint32_t host_finish(struct host *host, uint32_t slot)
{
	struct farjit_call_slot *call = &host->control->calls[slot];
	uint32_t state = call->state;
	set_state(&call->state, FARJIT_CALL_IDLE);
	return state;
}

static void fill_block(struct host *host, struct call_c *block, uint64_t function, const uint64_t argument[6])
{
	memset(block, 0, sizeof *block);
	block->function = function;
	block->errno_location = host->errno_location;
	memcpy(block->argument, argument, sizeof block->argument);
}

static void spawn_unless_there(struct host *host, uint32_t slot)
{
	if (host->control->calls[slot].state == FARJIT_CALL_NO_WORKER)
		host_spawn(host, slot);
}

void host_post_call(struct host *host, uint32_t slot, uint64_t function, const uint64_t argument[6])
{
	fill_block(host, call_block(host, slot), function, argument);
	spawn_unless_there(host, slot);
	host_post(host, slot, call_c);
}

void host_post_both(struct host *host, uint64_t first, const uint64_t first_argument[6], uint64_t second,
		    const uint64_t second_argument[6])
{
	fill_block(host, call_block(host, 0), first, first_argument);
	fill_block(host, call_block(host, 0) + 1, second, second_argument);
	spawn_unless_there(host, 0);
	host_post(host, 0, call_two);
}

void host_post_print_and_call(struct host *host, const char *text, uint64_t function, const uint64_t argument[6])
{
	enum { TEXT = DATA_BYTES / 2 };
	strcpy((char *)host->data + TEXT, text);
	host_post_both(host, host_lookup(host, "printf"), ARGUMENTS(data_address(host, TEXT)), function, argument);
}

uint64_t host_call(struct host *host, uint64_t function, const uint64_t argument[6], int *error)
{
	host_post_call(host, 0, function, argument);
	CHECK_EQUAL(host_expect(host, FARJIT_BELL_CALL_DONE).slot, 0);
	CHECK_EQUAL(host_finish(host, 0), FARJIT_CALL_RETURNED);
	if (error)
		*error = (int)call_block(host, 0)->error;
	return call_block(host, 0)->result;
}

void host_set_reentry(struct host *host, uint32_t slot, uint32_t state)
{
	set_state(&host->control->reentry[slot].state, state);
}

void host_release(struct host *host, uint32_t slot, uint64_t landing)
{
	host->control->reentry[slot].landing = landing;
	host_set_reentry(host, slot, FARJIT_REENTRY_RELEASED);
}

void host_unwind(struct host *host, uint32_t slot, uint32_t token)
{
	host->control->reentry[slot].token = token;
	host_set_reentry(host, slot, FARJIT_REENTRY_UNWIND);
}
