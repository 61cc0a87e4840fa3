/* Whether a module was made for the machine that it would run on. */
#include "codegen.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What later LLVMs say of layouts and earlier ones do not: modules differ in it that are for the same target. */
static bool is_later_addition(const char *part, size_t length)
{
	static const char *const additions[] = {"i128:128", "p270:32:32", "p271:32:32", "p272:64:64", "Fn32"};
	for (size_t i = 0; i < sizeof additions / sizeof *additions; i++)
		if (strlen(additions[i]) == length && strncmp(additions[i], part, length) == 0)
			return true;
	return false;
}

/* The next part of a layout that counts; NULL after the last one. */
static const char *next_part(const char **at, size_t *length)
{
	while (**at) {
		const char *part = *at;
		*length = strcspn(part, "-");
		*at += *length + (part[*length] == '-');
		if (!is_later_addition(part, *length))
			return part;
	}
	return NULL;
}

static bool is_same_layout(const char *first, const char *second)
{
	for (;;) {
		size_t first_length, second_length;
		const char *a = next_part(&first, &first_length), *b = next_part(&second, &second_length);
		if (!a || !b)
			return !a && !b;
		if (first_length != second_length || strncmp(a, b, first_length) != 0)
			return false;
	}
}

/* Skips a part of a normalized triple: architecture, vendor, system, environment. */
static const char *after_part(const char *triple)
{
	triple += strcspn(triple, "-");
	return *triple ? triple + 1 : triple;
}

/* Whoever made a machine makes no difference. */
static bool is_same_triple(const char *first, const char *second)
{
	char *a = llvm.LLVMNormalizeTargetTriple(first), *b = llvm.LLVMNormalizeTargetTriple(second);
	size_t length = strcspn(a, "-");
	bool is_same = length == strcspn(b, "-") && strncmp(a, b, length) == 0 &&
		       strcmp(after_part(after_part(a)), after_part(after_part(b))) == 0;
	llvm.LLVMDisposeMessage(a);
	llvm.LLVMDisposeMessage(b);
	return is_same;
}

bool farjit_refuse_foreign(LLVMModuleRef module, LLVMTargetMachineRef machine, const char *triple, char *words,
			   size_t size)
{
	const char *own_triple = llvm.LLVMGetTarget(module), *own_layout = llvm.LLVMGetDataLayoutStr(module);
	if (*own_triple && !is_same_triple(own_triple, triple)) {
		snprintf(words, size, "it is for %s, and the executor is %s: make it for that target", own_triple, triple);
		return true;
	}
	LLVMTargetDataRef data = llvm.LLVMCreateTargetDataLayout(machine);
	char *layout = llvm.LLVMCopyStringRepOfTargetData(data);
	llvm.LLVMDisposeTargetData(data);
	bool is_foreign = *own_layout && !is_same_layout(own_layout, layout);
	if (is_foreign)
		snprintf(words, size, "its data layout is %s, and the executor's %s: make it for %s", own_layout, layout,
			 triple);
	llvm.LLVMDisposeMessage(layout);
	return is_foreign;
}
