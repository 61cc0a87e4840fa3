/* control.end: why the runner ended. Written by one thread, once. */
#include "runner.h"

#include <stdarg.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

static atomic_bool end_claimed;

bool farjit_claim_end(void)
{
	return !atomic_exchange(&end_claimed, true);
}

void farjit_publish_end(enum farjit_end_kind kind)
{
	atomic_store(&farjit_control->end.kind, (uint32_t)kind);
}

_Noreturn void farjit_wait_for_end(void)
{
	for (;;)
		syscall(SYS_ppoll, NULL, 0, NULL, NULL, 0);
}

_Noreturn void farjit_end(enum farjit_end_kind kind, const char *format, ...)
{
	if (!farjit_claim_end())
		farjit_wait_for_end();
	char message[sizeof farjit_control->end.message];
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(message, sizeof message, format, arguments);
	va_end(arguments);
	if (farjit_control) {
		struct farjit_end *end = &farjit_control->end;
		snprintf(end->message, sizeof end->message, "%s", message);
		end->thread_id = (uint32_t)syscall(SYS_gettid);
		farjit_publish_end(kind);
	} else {
		dprintf(STDERR_FILENO, "farjit-runner: %s\n", message);
	}
	farjit_flush_pending();
	_exit(FARJIT_EXIT_FAULT);
}
