/* Data in front of a function's code: who reads it counts back from the function's address, which is that of a stub here. */
#include "codegen.h"

#include <stdio.h>

/* LLVM keeps three constants of a function: its personality, prefix and prologue data; a null pointer for what it lacks. */
enum { PREFIX_OPERAND = 1 };

static bool has_prefix_data(LLVMValueRef function)
{
	return llvm.LLVMGetNumOperands(function) > PREFIX_OPERAND &&
	       !llvm.LLVMIsAConstantPointerNull(llvm.LLVMGetOperand(function, PREFIX_OPERAND));
}

bool farjit_refuse_prefix_data(LLVMModuleRef module, char *words, size_t size)
{
	for (LLVMValueRef function = llvm.LLVMGetFirstFunction(module); function;
	     function = llvm.LLVMGetNextFunction(function)) {
		if (!has_prefix_data(function))
			continue;
		size_t length;
		const char *name = llvm.LLVMGetValueName2(function, &length);
		snprintf(words, size,
			 "%.*s has prefix data, which is not found by a function's address here: it is its stub's",
			 (int)length, name);
		return true;
	}
	return false;
}
