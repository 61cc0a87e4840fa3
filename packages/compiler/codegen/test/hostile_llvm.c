/*
 * A libLLVM that has been taken over by a module: it has every function that the code generator binds, and the first
 * module makes it try what confined code must not be able to do. What came of it is its fatal error.
 */
#include "../../confine/test/attempts.h"
#include "../llvm.h"

static void (*on_fatal_error)(const char *reason);

static void take_over(void)
{
	static char text[16 * 1024 - 1];
	farjit_attempt_all(text, sizeof text);
	on_fatal_error(text);
}

/* Under names of its own here: the real ones have other parameters. */
#define STUB(result, name, parameters)                                                                                 \
	__attribute__((visibility("default"))) void *hostile_##name(void (*handler)(const char *)) __asm__(#name);     \
	void *hostile_##name(void (*handler)(const char *))                                                            \
	{                                                                                                              \
		if (__builtin_strcmp(#name, "LLVMInstallFatalErrorHandler") == 0)                                      \
			on_fatal_error = handler;                                                                      \
		if (__builtin_strcmp(#name, "LLVMContextCreate") == 0)                                                 \
			take_over();                                                                                   \
		return 0;                                                                                              \
	}

FARJIT_LLVM_FUNCTIONS(STUB)
