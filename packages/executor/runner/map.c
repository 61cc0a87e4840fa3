/* The reservation: two memfds, one contiguous range, each part with the least rights that do. */
#include "runner.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

/* x86-64 and AArch64 code reach +-2 GiB without help; a little less leaves room for addends. */
#define RESERVATION_LIMIT_BYTES (UINT64_C(2) * 1024 * 1024 * 1024 - 64 * 1024)

struct farjit_control *farjit_control;
uintptr_t farjit_code_start;
uintptr_t farjit_code_end;
uintptr_t farjit_data_start;
const struct farjit_frame_index *farjit_frame_index;
const unsigned char *farjit_thread_template;

static void map_part(uint64_t address, uint64_t bytes, int rights, int descriptor, uint64_t offset, const char *name)
{
	if (bytes == 0)
		return;
	/* MAP_SHARED: a private map could be made writable, copy on write, where a shared one of a sealed file
	 * cannot. */
	void *at = mmap((void *)address, bytes, rights, MAP_SHARED | MAP_FIXED, descriptor, (off_t)offset);
	if (at == MAP_FAILED)
		farjit_fault("cannot map the %s part (%llu bytes): %s", name, (unsigned long long)bytes,
			     strerror(errno));
}

static uint64_t checked_size(const char *name, uint64_t bytes, uint64_t at_least)
{
	uint64_t page_bytes = (uint64_t)sysconf(_SC_PAGESIZE);
	if (bytes % page_bytes != 0 || bytes < at_least || bytes > RESERVATION_LIMIT_BYTES)
		farjit_fault("%s is %llu: expected whole pages, at least %llu bytes", name, (unsigned long long)bytes,
			     (unsigned long long)at_least);
	return bytes;
}

/* mseal(2), which came with Linux 6.10, and is the same number everywhere. */
enum { SYS_MSEAL = 462 };

bool farjit_seal_memory(void)
{
	/* Code, constants and the control part lie one after the other. Data stays the program's own. */
	return syscall(SYS_MSEAL, farjit_code_start, farjit_data_start - farjit_code_start, 0) == 0;
}

void farjit_map(void)
{
	/* Only the sizes are needed before there is an address to map at. */
	struct farjit_header head;
	_Static_assert(offsetof(struct farjit_control, header) == 0, "the header is where the file begins");
	if (pread(FARJIT_FD_SHARED, &head, sizeof head, 0) != (ssize_t)sizeof head)
		farjit_fault("cannot read the control page from descriptor %d: start farjit-runner from "
			     "farjit-executor, not by hand",
			     FARJIT_FD_SHARED);
	if (head.magic != FARJIT_LAYOUT_MAGIC || head.layout_version != FARJIT_LAYOUT_VERSION)
		farjit_fault("the host speaks layout %08x (magic %x), this runner layout %08x: build both from the same "
			     "sources",
			     head.layout_version, head.magic, FARJIT_LAYOUT_VERSION);
	int seals = fcntl(FARJIT_FD_SEALED, F_GET_SEALS);
	if (seals < 0 || !(seals & F_SEAL_FUTURE_WRITE))
		farjit_fault("descriptor %d is not a memfd sealed with F_SEAL_FUTURE_WRITE", FARJIT_FD_SEALED);

	uint64_t code_bytes = checked_size("code_bytes", head.code_bytes, 1);
	uint64_t index_bytes = checked_size("frame_index_bytes", head.frame_index_bytes, sizeof(struct farjit_frame_index));
	uint64_t constant_bytes = checked_size("constant_bytes", head.constant_bytes, index_bytes + FARJIT_THREAD_BYTES);
	uint64_t control_bytes = checked_size("control_bytes", head.control_bytes, sizeof(struct farjit_control));
	uint64_t data_bytes = checked_size("data_bytes", head.data_bytes, 0);
	uint64_t total = code_bytes + constant_bytes + control_bytes + data_bytes;
	if (total > RESERVATION_LIMIT_BYTES)
		farjit_fault("a reservation of %llu bytes does not fit in 2 GiB", (unsigned long long)total);

	void *reserved = mmap(NULL, total, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (reserved == MAP_FAILED)
		farjit_fault("cannot reserve %llu bytes: %s", (unsigned long long)total, strerror(errno));
	uint64_t code = (uint64_t)reserved;
	uint64_t constant = code + code_bytes;
	uint64_t control = constant + constant_bytes;
	map_part(code, code_bytes, PROT_READ | PROT_EXEC, FARJIT_FD_SEALED, 0, "code");
	map_part(constant, constant_bytes, PROT_READ, FARJIT_FD_SEALED, code_bytes, "constant");
	map_part(control, control_bytes + data_bytes, PROT_READ | PROT_WRITE, FARJIT_FD_SHARED, 0, "control");
	close(FARJIT_FD_SEALED);
	close(FARJIT_FD_SHARED);

	farjit_code_start = code;
	farjit_code_end = constant;
	farjit_data_start = control + control_bytes;
	farjit_frame_index = (const void *)(control - index_bytes);
	farjit_thread_template = (const void *)(control - index_bytes - FARJIT_THREAD_BYTES);
	farjit_control = (struct farjit_control *)control;
	farjit_control->base = code;
	farjit_control->resolver = (uint64_t)farjit_resolver;
	farjit_control->count_function = (uint64_t)farjit_count;
	farjit_control->run_program = (uint64_t)farjit_run_program;
	farjit_control->call_host = (uint64_t)farjit_call_host;
	farjit_control->thread_offset = farjit_thread_offset();
	farjit_control->process_id = (uint32_t)getpid();
}
