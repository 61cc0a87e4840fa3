/* Threads of a program, made as programs make them and behind the runner's back, and signals between them. */
#include "payload.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum {
	BARE_STACK_BYTES = 128 * 1024,
	/* libc's own: a filter that lets it make threads lets these be made. */
	BARE_FLAGS = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM | CLONE_SETTLS |
		     CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID,
	/* As long as a thread may take to begin. */
	BEGIN_SPINS = 1000,
};

typedef int create_function(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);

static struct program *current_program;

struct started *fuzz_started(struct program *program, uint16_t back)
{
	uint32_t count = atomic_load(&program->started_count);
	return back < count ? &program->started[(count - 1 - back) % THREADS] : NULL;
}

static void *run_started(void *argument)
{
	struct started *started = argument;
	struct runner_thread thread = {.program = started->program};
	atomic_store(&started->thread_id, (uint32_t)syscall(SYS_gettid));
	fuzz_run(&thread, started->first, started->count);
	return NULL;
}

/* A thread that libc and the runner know nothing of; it has the thread-local memory of whoever made it. */
static void start_bare(struct started *started)
{
	char *stack = mmap(NULL, BARE_STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (stack == MAP_FAILED)
		return;
	uint64_t *top = (uint64_t *)(stack + BARE_STACK_BYTES - 64);
	top[0] = (uint64_t)run_started;
	top[1] = (uint64_t)started;
	long result;
	/* Where the kernel writes the thread's number, and clears it when the thread has ended. */
	uint64_t number = (uint64_t)stack;
	register uint64_t r10 __asm__("r10") = number;
	register uint64_t r8 __asm__("r8") = (uint64_t)__builtin_thread_pointer();
	__asm__ volatile("syscall\n\t"
			 "test %%eax, %%eax\n\t"
			 "jnz 1f\n\t"
			 "xor %%ebp, %%ebp\n\t"
			 "pop %%rax\n\t"
			 "pop %%rdi\n\t"
			 "and $-16, %%rsp\n\t"
			 "call *%%rax\n\t"
			 "mov $60, %%eax\n\t"
			 "xor %%edi, %%edi\n\t"
			 "syscall\n"
			 "1:"
			 : "=a"(result)
			 : "a"(SYS_clone), "D"((uint64_t)BARE_FLAGS), "S"(top), "d"(number), "r"(r10), "r"(r8)
			 : "rcx", "r11", "memory");
}

/* Mode: FUZZ_THREAD_*. Values: the first operation, how many. */
void fuzz_start_thread(struct runner_thread *thread, const struct operation *operation)
{
	struct program *program = thread->program;
	uint32_t number = atomic_fetch_add(&program->started_count, 1);
	struct started *started = &program->started[number % THREADS];
	atomic_store(&started->thread_id, 0);
	*started = (struct started){.program = program, .first = operation->values[0], .count = operation->values[1]};
	create_function *create = pthread_create;
	switch (operation->mode % FUZZ_THREADS) {
	case FUZZ_THREAD_BARE:
		start_bare(started);
		break;
	case FUZZ_THREAD_OF_PROGRAM:
		create = (create_function *)program->words[FUZZ_WORD_PTHREAD_CREATE];
		/* fallthrough */
	default:
		started->has_pthread = create(&started->thread, NULL, run_started, started) == 0;
	}
}

void fuzz_join(struct runner_thread *thread, const struct operation *operation)
{
	struct started *started = fuzz_started(thread->program, operation->values[0]);
	if (!started || !started->has_pthread)
		return;
	started->has_pthread = false;
	pthread_join(started->thread, NULL);
}

void fuzz_cancel(struct runner_thread *thread, const struct operation *operation)
{
	struct started *started = fuzz_started(thread->program, operation->values[0]);
	if (started && started->has_pthread)
		pthread_cancel(started->thread);
}

static void end_thread(int signal)
{
	(void)signal;
	syscall(SYS_exit, 0);
}

static void do_nothing(int signal)
{
	(void)signal;
}

static void stop_for_ever(int signal)
{
	(void)signal;
	for (;;)
		pause();
}

static void call_lazily(int signal)
{
	(void)signal;
	int saved_errno = errno;
	((double (*)(double))current_program->words[FUZZ_WORD_STUBS])(1);
	errno = saved_errno;
}

/* Mode: what is done. Values: the signal. */
void fuzz_handle_signal(struct runner_thread *thread, const struct operation *operation)
{
	static void (*const handlers[FUZZ_HANDLERS])(int) = {
		[FUZZ_HANDLER_NOTHING] = do_nothing,
		[FUZZ_HANDLER_END_THREAD] = end_thread,
		[FUZZ_HANDLER_STOP] = stop_for_ever,
		[FUZZ_HANDLER_CALL] = call_lazily,
	};
	current_program = thread->program;
	struct sigaction action = {.sa_handler = handlers[operation->mode % FUZZ_HANDLERS]};
	sigaction((int)operation->values[0] % 65, &action, NULL);
}

/* Values: the signal, the thread. */
void fuzz_send_signal(struct runner_thread *thread, const struct operation *operation)
{
	uint64_t to = fuzz_value(thread, operation->values[1]);
	for (int i = 0; i < BEGIN_SPINS && to == 0; i++) {
		sched_yield();
		to = fuzz_value(thread, operation->values[1]);
	}
	syscall(SYS_tgkill, getpid(), (int)to, operation->values[0] % 65);
}
