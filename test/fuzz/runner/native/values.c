/* What values stand for: numbers that mean something to the kernel, and addresses that mean something to the host. */
#include "payload.h"

#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

/* Flags that only mean something together, and the edges of what a word holds. */
static const uint64_t constants[] = {
	/* mmap: private, shared, fixed, growing down, huge, locked, droppable, unreserved, populated */
	0x22, 0x21, 0x32, 0x122, 0x40022, 0x2022, 0x28, 0x4022, 0x8022,
	/* clone: a thread as libc makes it, a bare one, one that shares nothing, with namespaces */
	0x3d0f00, 0x50f00, 0x11, 0x10050f00, 0x7e020000,
	/* prctl's and membarrier's */
	0x53564d41, 0x59616d61, 0x100, 0x1ff,
	/* edges */
	0x7fffffff, 0x80000000, 0xffffffff, 0x100000000, 0x7fffffffffffffff, 0x8000000000000000, 0xffffffffffffffff,
	/* addresses of nobody: below the first page, of the kernel, not canonical, the end of user space */
	0x10, 0xffffffff81000000, 0x0000800000000000, 0x00007ffffffff000,
};

static uint64_t structure(struct runner_thread *thread, uint8_t which)
{
	struct program *program = thread->program;
	/* Each has a place of its own: what one names the other may change. */
	char *at = program->scratch + SCRATCH_BYTES / 2 + 256 * (which % 16);
	switch (which % 8) {
	case 0:
		*(struct timespec *)at = (struct timespec){.tv_nsec = 1000000};
		break;
	case 1:
		*(struct timespec *)at = (struct timespec){0};
		break;
	case 2:
		*(struct pollfd *)at = (struct pollfd){.fd = FARJIT_FD_DOORBELL, .events = POLLIN | POLLOUT};
		break;
	case 3:
		*(struct iovec *)at = (struct iovec){.iov_base = program->scratch, .iov_len = 64};
		break;
	case 4:
		memset(at, 0xff, sizeof(sigset_t));
		break;
	case 5:
		*(stack_t *)at = (stack_t){.ss_sp = program->scratch, .ss_size = 65536};
		break;
	case 6:
		/* A robust list whose only lock is a word that host and runner share. */
		((uint64_t *)at)[0] = program->words[FUZZ_WORD_CONTROL] + offsetof(struct farjit_control, reentry);
		((uint64_t *)at)[1] = 0;
		((uint64_t *)at)[2] = program->words[FUZZ_WORD_CONTROL] + offsetof(struct farjit_control, reentry);
		break;
	default:
		memset(at, 0, 256);
	}
	return (uint64_t)at;
}

static uint64_t thread_id(struct runner_thread *thread, uint8_t which)
{
	if (which == 0)
		return (uint64_t)getpid();
	if (which == 1)
		return (uint64_t)syscall(SYS_gettid);
	struct started *started = fuzz_started(thread->program, (uint16_t)(which - 2));
	return started ? atomic_load(&started->thread_id) : 0;
}

uint64_t fuzz_value(struct runner_thread *thread, uint16_t value)
{
	struct program *program = thread->program;
	const uint64_t *words = program->words;
	uint8_t which = value & 0xff;
	struct farjit_control *control = (struct farjit_control *)words[FUZZ_WORD_CONTROL];
	switch ((value >> 8) % FUZZ_VALUES) {
	case FUZZ_SMALL:
		return which;
	case FUZZ_BIT:
		return UINT64_C(1) << which % 64;
	case FUZZ_MINUS:
		return -(uint64_t)which;
	case FUZZ_CONSTANT:
		return constants[which % (sizeof constants / sizeof constants[0])];
	case FUZZ_REENTRY:
		return (uint64_t)&control->reentry[which];
	case FUZZ_HOST_CALL:
		return (uint64_t)&control->host_calls[which];
	case FUZZ_CALL:
		return (uint64_t)&control->calls[which % FARJIT_CALL_SLOT_COUNT];
	case FUZZ_OWN_CALL:
		return (uint64_t)program->slot + 4 * which;
	case FUZZ_OWN_NUMBER:
		return (uint64_t)(program->slot - control->calls) + which;
	case FUZZ_HEAD:
		return words[FUZZ_WORD_CONTROL] + 8 * which;
	case FUZZ_CONTROL:
		return words[FUZZ_WORD_CONTROL] + words[FUZZ_WORD_CONTROL_BYTES] / 256 / 8 * 8 * which;
	case FUZZ_DATA:
		return words[FUZZ_WORD_DATA] + 8 * which;
	case FUZZ_DATA_PAGE:
		return words[FUZZ_WORD_DATA] + 4096 * which;
	case FUZZ_DATA_PART:
		return words[FUZZ_WORD_DATA_START] + ((uint64_t)which << 20);
	case FUZZ_HOT_PAGES:
		/* Of the first pages of that mebibyte of the data part. */
		return (uint64_t)&control->hot_pages[which * (0x100000 / FARJIT_COUNTER_PAGE_BYTES / 32)];
	case FUZZ_SCRATCH:
		return (uint64_t)program->scratch + 256 * which;
	case FUZZ_STRUCTURE:
		return structure(thread, which);
	case FUZZ_RESULT:
		return thread->results[(thread->result_count - 1 - which % RESULTS) % RESULTS];
	case FUZZ_THREAD_ID:
		return thread_id(thread, which);
	case FUZZ_TRAMPOLINE:
		return words[FUZZ_WORD_TRAMPOLINES] + 8 * (which % FUZZ_STUBS);
	case FUZZ_STUB_ADDRESS:
		return words[FUZZ_WORD_STUBS] + 8 * (which % FUZZ_STUBS);
	case FUZZ_POINTER:
		return words[FUZZ_WORD_POINTERS] + 8 * which;
	case FUZZ_CODE:
		return words[FUZZ_WORD_CODE_START] + 4096 * which;
	case FUZZ_PAGES:
		return 4096 * (uint64_t)which;
	default:
		return (uint64_t)which << 20;
	}
}

long fuzz_system_call(long number, const uint64_t a[6])
{
	long result;
	register uint64_t r10 __asm__("r10") = a[3];
	register uint64_t r8 __asm__("r8") = a[4];
	register uint64_t r9 __asm__("r9") = a[5];
	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(number), "D"(a[0]), "S"(a[1]), "d"(a[2]), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return result;
}
