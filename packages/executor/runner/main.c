/* The runner: maps the session's memory, gives up its rights, and runs JIT'd code on the host's word. */
#include "runner.h"

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

static void initialize(bool has_files)
{
	farjit_die_with_host();
	farjit_yield_to_host();
	setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
	/* Whatever the host left open is not for JIT'd code. */
	syscall(SYS_close_range, (has_files ? FARJIT_FD_TREE : FARJIT_FD_INPUT) + 1, ~0u, 0);
	farjit_output_initialize();
	farjit_frames_initialize();
	farjit_abi_initialize();
	farjit_threads_initialize();
	farjit_thread_locals_initialize();
	farjit_map();
	farjit_traps_initialize();
}

/* Does what the host says, one bell after the other, until it is gone. */
static _Noreturn void serve(void)
{
	bool confined = false;
	farjit_ring(FARJIT_BELL_HELLO, 0, 0);
	for (;;) {
		struct farjit_bell bell = farjit_next_bell();
		switch (bell.kind) {
		case FARJIT_BELL_CONFINE:
			if (confined)
				farjit_fault("CONFINE twice");
			uint32_t confinement = farjit_confine();
			confined = true;
			farjit_limit_threads();
			farjit_leave_signals_to_others();
			farjit_ring(FARJIT_BELL_CONFINED, 0, confinement);
			break;
		case FARJIT_BELL_PRELOAD:
			if (confined)
				farjit_fault("PRELOAD after CONFINE");
			farjit_preload(bell.value);
			farjit_ring(FARJIT_BELL_DONE, 0, 0);
			break;
		case FARJIT_BELL_SPAWN:
			if (!confined)
				farjit_fault("SPAWN before CONFINE");
			farjit_spawn_worker(bell.slot);
			/* Making its first thread, libc lets through its own signals here. */
			farjit_leave_signals_to_others();
			break;
		case FARJIT_BELL_SYNC_CORE:
			farjit_sync_core();
			farjit_ring(FARJIT_BELL_DONE, 0, 0);
			break;
		case FARJIT_BELL_FILL_THREADS:
			farjit_fill_threads();
			farjit_ring(FARJIT_BELL_DONE, 0, 0);
			break;
		case FARJIT_BELL_LOOKUP_THREAD_LOCALS:
			farjit_lookup_thread_locals(bell.value);
			farjit_ring(FARJIT_BELL_DONE, 0, 0);
			break;
		case FARJIT_BELL_LOOKUP:
			farjit_lookup(bell.value, bell.slot);
			farjit_ring(FARJIT_BELL_DONE, 0, 0);
			break;
		default:
			farjit_fault("the host rang with the unknown kind %u", bell.kind);
		}
	}
}

int main(int count, char **arguments)
{
	if (count == 2 && strcmp(arguments[1], "--version") == 0) {
		printf("farjit-runner %s, layout %08x\n", FARJIT_RUNNER_VERSION, FARJIT_LAYOUT_VERSION);
		return 0;
	}
	if (count == 2 && strcmp(arguments[1], "--system-calls") == 0) {
		farjit_print_system_calls();
		return 0;
	}
	if (count == 2 && strcmp(arguments[1], "--confinement") == 0)
		return farjit_print_confinement();
	bool has_files = count == 2 && strcmp(arguments[1], "--files") == 0;
	if (count != 1 && !has_files) {
		fprintf(stderr, "usage: farjit-runner [--confinement | --system-calls | --version]\n"
				"Without arguments, or with --files, it is started by farjit-executor.\n");
		return FARJIT_EXIT_USAGE;
	}
	initialize(has_files);
	serve();
}
