/* Threads that JIT'd code makes: counted, with an alternate signal stack and a boundary of their own. */
#include "runner.h"

#include "futex.h"

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <threads.h>
#include <unistd.h>

enum {
	/* What the trap handler needs above the kernel's signal frame. */
	SIGNAL_HANDLER_BYTES = 32 * 1024,
	/* Rounds of thread-specific destructors in which glibc may still run JIT'd ones. */
	DESTRUCTOR_ROUNDS = PTHREAD_DESTRUCTOR_ITERATIONS,
};

struct program_thread {
	struct farjit_thread thread; /* first: the key's destructor gets a pointer to it */
	void *(*pthread_start)(void *); /* one of the two */
	int (*thrd_start)(void *);
	void *argument;
};

typedef int create_thread(pthread_t *thread, const pthread_attr_t *attributes, void *(*start)(void *), void *argument);

/* libc's own: the runner's stands before it in the whole process. */
static create_thread *libc_pthread_create;
/* Before there are limits, threads are those of libraries that are being loaded. */
static bool limits_threads;
static _Thread_local struct farjit_thread *current_thread __attribute__((tls_model("initial-exec")));
/* Its destructor runs however a thread ends: return, pthread_exit or cancellation. */
static pthread_key_t thread_key;
static size_t signal_stack_bytes;
static size_t page_bytes;

struct farjit_thread *farjit_current_thread(void)
{
	return current_thread;
}

void farjit_set_current_thread(struct farjit_thread *thread)
{
	current_thread = thread;
	farjit_join_threads(thread);
	if (pthread_setspecific(thread_key, thread) != 0)
		farjit_fault("no memory to follow a thread");
}

void *farjit_make_signal_stack(void)
{
	char *map = mmap(NULL, page_bytes + signal_stack_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			 -1, 0);
	if (map == MAP_FAILED)
		return NULL;
	if (mprotect(map, page_bytes, PROT_NONE) != 0) {
		munmap(map, page_bytes + signal_stack_bytes);
		return NULL;
	}
	return map;
}

void farjit_use_signal_stack(void *signal_stack)
{
	stack_t stack = {.ss_sp = (char *)signal_stack + page_bytes, .ss_size = signal_stack_bytes};
	if (sigaltstack(&stack, NULL) != 0)
		farjit_fault("sigaltstack failed with errno %d", errno);
}

void farjit_drop_signal_stack(void *signal_stack)
{
	sigaltstack(&(stack_t){.ss_flags = SS_DISABLE}, NULL);
	munmap(signal_stack, page_bytes + signal_stack_bytes);
}

static void forget_program_thread(void)
{
	if (atomic_fetch_sub(&farjit_control->program_threads, 1) == 1)
		farjit_futex_wake(&farjit_control->program_threads);
}

void farjit_wait_for_program_threads(void)
{
	for (uint32_t count; (count = atomic_load(&farjit_control->program_threads)) != 0;)
		farjit_futex_wait(&farjit_control->program_threads, count);
}

/* JIT'd destructors may run beside this one in each round, so a thread counts as alive until the last. */
static void thread_ended(void *argument)
{
	struct farjit_thread *thread = argument;
	bool is_main = farjit_is_main_thread(thread);
	if (farjit_has_host_call())
		farjit_fault("a thread has ended itself in a call that a function of the compiler's has made");
	if (thread->call_slot != FARJIT_NO_CALL_SLOT && !is_main)
		farjit_fault("the call in slot %u ended its own thread with pthread_exit or pthread_cancel",
			     thread->call_slot);
	thread->boundary = NULL;
	if (++thread->destructor_rounds < DESTRUCTOR_ROUNDS && pthread_setspecific(thread_key, thread) == 0)
		return;
	if (is_main)
		farjit_outlive_main();
	current_thread = NULL;
	farjit_leave_threads(thread);
	farjit_drop_signal_stack(thread->signal_stack);
	/* It begins the program_thread. */
	free(thread);
	forget_program_thread();
}

void farjit_threads_initialize(void)
{
	page_bytes = (size_t)sysconf(_SC_PAGESIZE);
	/* The kernel's frame holds the whole extended state, more than 8 KiB with AMX: ask. */
	size_t bytes = (size_t)sysconf(_SC_MINSIGSTKSZ) + SIGNAL_HANDLER_BYTES;
	signal_stack_bytes = (bytes + page_bytes - 1) & ~(page_bytes - 1);
	if (pthread_key_create(&thread_key, thread_ended) != 0)
		farjit_fault("no thread-specific key left");
	libc_pthread_create = (create_thread *)dlsym(RTLD_NEXT, "pthread_create");
	if (!libc_pthread_create)
		farjit_fault("libc has no pthread_create: %s", dlerror());
}

void farjit_limit_threads(void)
{
	limits_threads = true;
}

int farjit_start_thread(pthread_t *thread, const pthread_attr_t *attributes, void *(*start)(void *), void *argument)
{
	return libc_pthread_create(thread, attributes, start, argument);
}

static uint64_t program_entry(void *argument)
{
	struct program_thread *started = argument;
	if (started->thrd_start)
		return (uint64_t)(int64_t)started->thrd_start(started->argument);
	return (uint64_t)started->pthread_start(started->argument);
}

static void find_stack(struct farjit_thread *thread)
{
	pthread_attr_t attributes;
	void *start;
	size_t bytes, guard_bytes;
	if (pthread_getattr_np(pthread_self(), &attributes) != 0)
		return;
	if (pthread_attr_getstack(&attributes, &start, &bytes) == 0 &&
	    pthread_attr_getguardsize(&attributes, &guard_bytes) == 0) {
		thread->stack_start = (uintptr_t)start;
		thread->stack_end = thread->stack_start + bytes;
		thread->guard_start = thread->stack_start - guard_bytes;
	}
	pthread_attr_destroy(&attributes);
}

static void *program_main(void *argument)
{
	struct program_thread *started = argument;
	started->thread.thread_id = (uint32_t)syscall(SYS_gettid);
	started->thread.call_slot = FARJIT_NO_CALL_SLOT;
	find_stack(&started->thread);
	farjit_set_current_thread(&started->thread);
	farjit_use_signal_stack(started->thread.signal_stack);
	uint64_t result;
	if (!farjit_run_bounded(&started->thread, program_entry, started, &result))
		farjit_fault("a thread of the program was unwound to its start");
	/* Where it let itself be cancelled anywhere, that would be in what the runner and libc do for its end. Both: libc's handler does
	 * not look whether a thread has disabled it while the signal was on its way. */
	pthread_setcanceltype(PTHREAD_CANCEL_DEFERRED, NULL);
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
	return (void *)result;
}

/* libc keeps thread-local memory at the end of the stack; the program has not asked for that. */
static void copy_stack_size(const pthread_attr_t *from, pthread_attr_t *to)
{
	size_t bytes;
	if (pthread_attr_getstacksize(from, &bytes) == 0)
		pthread_attr_setstacksize(to, bytes + FARJIT_THREAD_BYTES);
}

/* Copies what was asked for, with a guard that no frame jumps over. A caller's own stack stays as it is. */
static int copy_attributes(const pthread_attr_t *from, pthread_attr_t *to)
{
	int error = pthread_attr_init(to);
	if (error != 0)
		return error;
	pthread_attr_setguardsize(to, FARJIT_STACK_GUARD_BYTES);
	if (!from) {
		copy_stack_size(to, to);
		return 0;
	}

	int number;
	struct sched_param parameters;
	void *stack;
	size_t bytes;
	cpu_set_t processors;
	sigset_t signals;
	if (pthread_attr_getdetachstate(from, &number) == 0)
		pthread_attr_setdetachstate(to, number);
	if (pthread_attr_getschedpolicy(from, &number) == 0)
		pthread_attr_setschedpolicy(to, number);
	if (pthread_attr_getschedparam(from, &parameters) == 0)
		pthread_attr_setschedparam(to, &parameters);
	if (pthread_attr_getinheritsched(from, &number) == 0)
		pthread_attr_setinheritsched(to, number);
	if (pthread_attr_getguardsize(from, &bytes) == 0 && bytes > FARJIT_STACK_GUARD_BYTES)
		pthread_attr_setguardsize(to, bytes);
	/* Without a stack of its own glibc answers the top of the address space, minus the size. */
	if (pthread_attr_getstack(from, &stack, &bytes) == 0 && (uintptr_t)stack + bytes != 0)
		pthread_attr_setstack(to, stack, bytes);
	else
		copy_stack_size(from, to);
	if (pthread_attr_getaffinity_np(from, sizeof processors, &processors) == 0 && CPU_COUNT(&processors) > 0 &&
	    CPU_COUNT(&processors) < CPU_SETSIZE)
		pthread_attr_setaffinity_np(to, sizeof processors, &processors);
	if (pthread_attr_getsigmask_np(from, &signals) == 0)
		pthread_attr_setsigmask_np(to, &signals);
	return 0;
}

/* Answers an errno. */
static int start_counted(pthread_t *thread, const pthread_attr_t *attributes, struct program_thread *started)
{
	size_t stack_bytes = 0;
	int error = EAGAIN;
	uint32_t others = atomic_fetch_add(&farjit_control->program_threads, 1);
	if (limits_threads && others >= farjit_control->confine.threads)
		farjit_note_limit(FARJIT_LIMIT_THREADS);
	else
		error = libc_pthread_create(thread, attributes, program_main, started);
	if (error == 0)
		return 0;
	forget_program_thread();
	if (pthread_attr_getstacksize(attributes, &stack_bytes) == 0)
		farjit_note_refused_memory(stack_bytes);
	return error;
}

/* Answers an errno. */
static int start_program_thread(pthread_t *thread, const pthread_attr_t *attributes, struct program_thread description)
{
	struct program_thread *started = malloc(sizeof *started);
	pthread_attr_t own_attributes;
	if (!started)
		return EAGAIN;
	*started = description;
	started->thread.signal_stack = farjit_make_signal_stack();
	int error = started->thread.signal_stack ? copy_attributes(attributes, &own_attributes) : EAGAIN;
	if (error == 0) {
		error = start_counted(thread, &own_attributes, started);
		pthread_attr_destroy(&own_attributes);
	} else {
		farjit_note_refused_memory(page_bytes + signal_stack_bytes);
	}
	if (error != 0) {
		if (started->thread.signal_stack)
			munmap(started->thread.signal_stack, page_bytes + signal_stack_bytes);
		free(started);
	}
	return error;
}

int farjit_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*start)(void *), void *argument)
{
	return start_program_thread(thread, attributes, (struct program_thread){.pthread_start = start, .argument = argument});
}

/* glibc's thrd_t is pthread_t, and its thrd_join reads the int that a pthread would return. */
_Static_assert(sizeof(thrd_t) == sizeof(pthread_t), "thrd_t is pthread_t");

int farjit_thrd_create(pthread_t *thread, int (*start)(void *), void *argument)
{
	int error = start_program_thread(thread, NULL, (struct program_thread){.thrd_start = start, .argument = argument});
	if (error == 0)
		return thrd_success;
	return error == ENOMEM ? thrd_nomem : thrd_error;
}

/* Under libc's names, so that libraries find them first: std::thread's are made in libstdc++. The linker is told to export them. */
__attribute__((visibility("default"), alias("farjit_pthread_create"))) create_thread pthread_create;
__attribute__((visibility("default"), alias("farjit_thrd_create"))) int thrd_create(thrd_t *thread, thrd_start_t start,
										    void *argument);
