/* The boundary between the runner and JIT'd code, and the way back to it after a failed callback. */
#include "runner.h"

#include <string.h>

/* A vendor and language of its own, so that no personality routine takes it for an exception it can catch. */
static const char unwind_class[8] = {'F', 'R', 'J', 'T', 'U', 'N', 'W', 'D'};

/* A thread in a boundary, and the one that it was in before. */
struct bounded {
	struct farjit_thread *thread;
	struct farjit_boundary *outer;
};

/* Also runs when pthread_exit passes: the frame that the boundary names is gone then. */
static void forget_boundary(struct bounded *bounded)
{
	bounded->thread->boundary = bounded->outer;
}

bool farjit_run_bounded(struct farjit_thread *thread, farjit_entry *entry, void *argument, uint64_t *result)
{
	struct farjit_boundary boundary;
	struct bounded bounded __attribute__((cleanup(forget_boundary))) = {.thread = thread, .outer = thread->boundary};
	thread->boundary = &boundary;
	if (farjit_enter(&boundary, entry, argument) != 0)
		return false;
	*result = boundary.result;
	return true;
}

/* While the unwinder is at a frame, its CFA is that frame's stack pointer at the call it is in. */
static bool is_at_boundary(const struct farjit_thread *thread, struct _Unwind_Context *context)
{
	return _Unwind_GetCFA(context) == thread->boundary->stack_pointer;
}

/* What there is between here and the boundary. */
struct search {
	const struct farjit_thread *thread;
	/* What cannot be compiled is no exception: no `catch (...)` is to go on with it, and no `noexcept` to end the process. */
	bool has_handler;
	/* There is unwind information all the way. */
	bool has_boundary;
};

/* Called by the unwinder for each frame, innermost first. Asks as it would ask for an exception of another language. */
static _Unwind_Reason_Code look_for_handler(struct _Unwind_Context *context, void *argument)
{
	struct search *search = argument;
	struct _Unwind_Exception exception = {0};
	search->has_boundary = is_at_boundary(search->thread, context);
	if (search->has_boundary)
		return _URC_END_OF_STACK;
	int is_exact = 0;
	uint64_t address = _Unwind_GetIPInfo(context, &is_exact);
	_Unwind_Personality_Fn personality = farjit_personality_of(is_exact ? address : address - 1);
	memcpy(&exception.exception_class, unwind_class, sizeof unwind_class);
	search->has_handler = personality && personality(1, _UA_SEARCH_PHASE, exception.exception_class, &exception, context) ==
						     _URC_HANDLER_FOUND;
	return search->has_handler ? _URC_HANDLER_FOUND : _URC_NO_REASON;
}

/* Called by the unwinder for each frame, innermost first, before the frame's own cleanup. */
static _Unwind_Reason_Code stop_at_boundary(int version, _Unwind_Action actions, _Unwind_Exception_Class class,
					    struct _Unwind_Exception *exception, struct _Unwind_Context *context,
					    void *argument)
{
	(void)version, (void)actions, (void)class, (void)exception;
	struct farjit_thread *thread = argument;
	if (is_at_boundary(thread, context))
		farjit_leave(thread->boundary);
	return _URC_NO_REASON;
}

_Noreturn void farjit_unwind(struct farjit_thread *thread, uint32_t token)
{
	/* One that the program has started: who waits for what it does would wait for ever, or take NULL for its result. */
	bool is_in_call = thread && (thread->call_slot != FARJIT_NO_CALL_SLOT || thread->entered_count > 0);
	if (!is_in_call || !thread->boundary) {
		farjit_fail_calls(FARJIT_NO_CALL_SLOT, token);
		farjit_end(FARJIT_END_UNWIND_FAILED, "failure %u: its thread is in no call", token);
	}
	struct search search = {.thread = thread};
	_Unwind_Backtrace(look_for_handler, &search);
	if (!search.has_boundary)
		farjit_fail_calls(thread->call_slot, token);
	if (search.has_handler)
		farjit_fault("the program cannot go on without a function that it has called");
	if (!search.has_boundary)
		farjit_end(FARJIT_END_UNWIND_FAILED, "failure %u: there is code without unwind information below its call", token);
	thread->unwind_token = token;
	struct _Unwind_Exception *exception = &thread->unwind_exception;
	memset(exception, 0, sizeof *exception);
	memcpy(&exception->exception_class, unwind_class, sizeof unwind_class);
	_Unwind_Reason_Code reason = _Unwind_ForcedUnwind(exception, stop_at_boundary, thread);
	farjit_end(FARJIT_END_UNWIND_FAILED, "failure %u: the unwinder gave up with reason %d", token, (int)reason);
}
