/* The boundary between the runner and JIT'd code, and the way back to it after a failed callback. */
#include "runner.h"

#include <string.h>

/* A vendor and language of its own, so that no personality routine takes it for an exception it can catch. */
static const char unwind_class[8] = {'F', 'R', 'J', 'T', 'U', 'N', 'W', 'D'};

/* Also runs when pthread_exit passes: the frame that the boundary names is gone then. */
static void forget_boundary(struct farjit_thread **thread)
{
	(*thread)->boundary = NULL;
}

bool farjit_run_bounded(struct farjit_thread *thread, farjit_entry *entry, void *argument, uint64_t *result)
{
	struct farjit_boundary boundary;
	struct farjit_thread *bounded __attribute__((cleanup(forget_boundary))) = thread;
	thread->boundary = &boundary;
	if (farjit_enter(&boundary, entry, argument) != 0)
		return false;
	*result = boundary.result;
	return true;
}

/* What is looked for between here and the boundary. */
struct search {
	const struct farjit_thread *thread;
	bool has_handler;
};

/* Called by the unwinder for each frame, innermost first. Asks as it would ask for an exception of another language. */
static _Unwind_Reason_Code look_for_handler(struct _Unwind_Context *context, void *argument)
{
	struct search *search = argument;
	struct _Unwind_Exception exception = {0};
	if (_Unwind_GetCFA(context) == search->thread->boundary->stack_pointer)
		return _URC_END_OF_STACK;
	int is_exact = 0;
	uint64_t address = _Unwind_GetIPInfo(context, &is_exact);
	_Unwind_Personality_Fn personality = farjit_personality_of(is_exact ? address : address - 1);
	memcpy(&exception.exception_class, unwind_class, sizeof unwind_class);
	if (!personality || personality(1, _UA_SEARCH_PHASE, exception.exception_class, &exception, context) !=
				    _URC_HANDLER_FOUND)
		return _URC_NO_REASON;
	search->has_handler = true;
	return _URC_HANDLER_FOUND;
}

/* What cannot be compiled is no exception: no `catch (...)` is to go on with it, and no `noexcept` to end the process. */
static bool handler_would_see(const struct farjit_thread *thread)
{
	struct search search = {.thread = thread};
	_Unwind_Backtrace(look_for_handler, &search);
	return search.has_handler;
}

/* Called by the unwinder for each frame, innermost first, before the frame's own cleanup. */
static _Unwind_Reason_Code stop_at_boundary(int version, _Unwind_Action actions, _Unwind_Exception_Class class,
					    struct _Unwind_Exception *exception, struct _Unwind_Context *context,
					    void *argument)
{
	(void)version, (void)class, (void)exception;
	struct farjit_thread *thread = argument;
	/* While the unwinder is at a frame, its CFA is that frame's stack pointer at the call it is in. */
	if (_Unwind_GetCFA(context) == thread->boundary->stack_pointer)
		farjit_leave(thread->boundary);
	if (actions & _UA_END_OF_STACK)
		farjit_end(FARJIT_END_UNWIND_FAILED, "failure %u: no unwind information for the code at %#llx",
			   thread->unwind_token, (unsigned long long)_Unwind_GetIP(context));
	return _URC_NO_REASON;
}

_Noreturn void farjit_unwind(struct farjit_thread *thread, uint32_t token)
{
	if (!thread || !thread->boundary)
		farjit_end(FARJIT_END_UNWIND_FAILED, "failure %u: its thread is in no call", token);
	if (handler_would_see(thread))
		farjit_end_with_call(thread->call_slot, token);
	thread->unwind_token = token;
	struct _Unwind_Exception *exception = &thread->unwind_exception;
	memset(exception, 0, sizeof *exception);
	memcpy(&exception->exception_class, unwind_class, sizeof unwind_class);
	_Unwind_Reason_Code reason = _Unwind_ForcedUnwind(exception, stop_at_boundary, thread);
	farjit_end(FARJIT_END_UNWIND_FAILED, "failure %u: the unwinder gave up with reason %d", token, (int)reason);
}
