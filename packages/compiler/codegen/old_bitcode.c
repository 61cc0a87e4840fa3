/*
 * What a clang has written and a newer LLVM reads otherwise. Coroutines: since LLVM 19 a frontend says which resumption is a
 * tail call ("llvm.coro.await.suspend.handle"), and LLVM looks for none itself, so that long chains of them would overflow the
 * stack; since LLVM 22 "llvm.coro.end" has no result, and code that asks for it does not verify.
 */
#include "codegen.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const unsigned COROUTINES_CHANGED[] = {19, 22};

unsigned farjit_clang_version(LLVMModuleRef module)
{
	static const char NAME[] = "llvm.ident", WORDS[] = "clang version ";
	unsigned count = llvm.LLVMGetNamedMetadataNumOperands(module, NAME), oldest = 0;
	LLVMValueRef *nodes = calloc(count + 1, sizeof *nodes);
	if (!nodes)
		abort();
	llvm.LLVMGetNamedMetadataOperands(module, NAME, nodes);
	for (unsigned i = 0; i < count; i++) {
		LLVMValueRef text = NULL;
		unsigned length;
		if (llvm.LLVMGetMDNodeNumOperands(nodes[i]) == 1)
			llvm.LLVMGetMDNodeOperands(nodes[i], &text);
		const char *ident = text ? llvm.LLVMGetMDString(text, &length) : NULL;
		const char *words = ident ? memmem(ident, length, WORDS, sizeof WORDS - 1) : NULL;
		if (!words)
			continue;
		unsigned version = 0;
		for (words += sizeof WORDS - 1; words < ident + length && *words >= '0' && *words <= '9'; words++)
			version = version * 10 + (unsigned)(*words - '0');
		if (version > 0 && (oldest == 0 || version < oldest))
			oldest = version;
	}
	free(nodes);
	return oldest;
}

bool farjit_refuse_coroutines(LLVMModuleRef module, char *words, size_t size)
{
	if (!llvm.LLVMGetNamedFunction(module, "llvm.coro.id"))
		return false;
	unsigned version = farjit_clang_version(module), changed = 0;
	for (size_t i = 0; i < sizeof COROUTINES_CHANGED / sizeof *COROUTINES_CHANGED; i++)
		if (version < COROUTINES_CHANGED[i] && COROUTINES_CHANGED[i] <= llvm.major_version)
			changed = COROUTINES_CHANGED[i];
	if (version == 0 || changed == 0)
		return false;
	snprintf(words, size,
		 "clang %u has written its coroutines otherwise than LLVM %u reads them: make an object of the source with "
		 "that clang, or bitcode with clang %u or newer",
		 version, llvm.major_version, changed);
	return true;
}
