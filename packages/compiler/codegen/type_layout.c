/*
 * Types that clang has laid out otherwise than LLVM does now. Since LLVM 18 an integer of more than 64 bits is aligned to 16
 * bytes on x86-64 ("i128:128"), and to 8 before. LLVM gives old modules the new layout as it reads them, and most clang has
 * made stay right, as they have their padding written out; but wide bit-fields are such integers, of 65 to 128 bits, and
 * structs with them have other sizes and offsets than the sizes and offsets in the code.
 */
#include "codegen.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char ADDITION[] = "-i128:128";
enum { FIRST_WITH_ADDITION = 18 };

/* Types that are alike, by the low bits of their addresses: a module names the same few again and again. */
enum { SEEN = 1024 };
struct layouts {
	LLVMTargetDataRef then, now;
	LLVMTypeRef seen[SEEN];
};

/* The version of the clang that has made a module, or of the oldest one; 0 for another producer. */
static unsigned clang_version(LLVMModuleRef module)
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

static bool is_alike(struct layouts *layouts, LLVMTypeRef type)
{
	int kind = llvm.LLVMGetTypeKind(type);
	if (kind != LLVMStructTypeKind && kind != LLVMArrayTypeKind && kind != LLVMIntegerTypeKind)
		return true;
	LLVMTypeRef *seen = &layouts->seen[((uintptr_t)type >> 4) % SEEN];
	if (*seen == type)
		return true;
	if (kind == LLVMArrayTypeKind) {
		if (!is_alike(layouts, llvm.LLVMGetElementType(type)))
			return false;
	} else if (llvm.LLVMTypeIsSized(type)) {
		if (llvm.LLVMABISizeOfType(layouts->then, type) != llvm.LLVMABISizeOfType(layouts->now, type))
			return false;
		unsigned count = kind == LLVMStructTypeKind ? llvm.LLVMCountStructElementTypes(type) : 0;
		for (unsigned i = 0; i < count; i++)
			if (llvm.LLVMOffsetOfElement(layouts->then, type, i) !=
				    llvm.LLVMOffsetOfElement(layouts->now, type, i) ||
			    !is_alike(layouts, llvm.LLVMStructGetTypeAtIndex(type, i)))
				return false;
	}
	*seen = type;
	return true;
}

/* NULL: none of those is laid out otherwise. */
static LLVMValueRef first_in_code(struct layouts *layouts, LLVMValueRef function)
{
	for (LLVMBasicBlockRef block = llvm.LLVMGetFirstBasicBlock(function); block;
	     block = llvm.LLVMGetNextBasicBlock(block))
		for (LLVMValueRef at = llvm.LLVMGetFirstInstruction(block); at; at = llvm.LLVMGetNextInstruction(at)) {
			LLVMTypeRef type = llvm.LLVMIsAGetElementPtrInst(at) ? llvm.LLVMGetGEPSourceElementType(at)
					   : llvm.LLVMIsAAllocaInst(at)      ? llvm.LLVMGetAllocatedType(at)
									     : NULL;
			if (type && !is_alike(layouts, type))
				return function;
		}
	return NULL;
}

static LLVMValueRef first_otherwise(struct layouts *layouts, LLVMModuleRef module)
{
	for (LLVMValueRef at = llvm.LLVMGetFirstGlobal(module); at; at = llvm.LLVMGetNextGlobal(at))
		if (!is_alike(layouts, llvm.LLVMGlobalGetValueType(at)))
			return at;
	for (LLVMValueRef at = llvm.LLVMGetFirstFunction(module); at; at = llvm.LLVMGetNextFunction(at))
		if (first_in_code(layouts, at))
			return at;
	return NULL;
}

bool farjit_refuse_type_layout(LLVMModuleRef module, LLVMTargetMachineRef machine, char *words, size_t size)
{
	if (llvm.major_version < FIRST_WITH_ADDITION)
		return false;
	unsigned version = clang_version(module);
	if (version == 0 || version >= FIRST_WITH_ADDITION)
		return false;
	static struct layouts layouts;
	memset(&layouts, 0, sizeof layouts);
	layouts.now = llvm.LLVMCreateTargetDataLayout(machine);
	char *then = llvm.LLVMCopyStringRepOfTargetData(layouts.now);
	char *addition = strstr(then, ADDITION);
	LLVMValueRef found = NULL;
	if (addition) {
		char *rest = addition + sizeof ADDITION - 1;
		memmove(addition, rest, strlen(rest) + 1);
		layouts.then = llvm.LLVMCreateTargetData(then);
		found = first_otherwise(&layouts, module);
		llvm.LLVMDisposeTargetData(layouts.then);
	}
	llvm.LLVMDisposeMessage(then);
	llvm.LLVMDisposeTargetData(layouts.now);
	if (!found)
		return false;
	size_t length;
	const char *name = llvm.LLVMGetValueName2(found, &length);
	snprintf(words, size,
		 "clang %u has laid out a type of %.*s otherwise than LLVM %u does (integers of more than 64 bits, as wide "
		 "bit-fields are): make an object of the source with that clang, or bitcode with clang %d or newer",
		 version, (int)length, name, llvm.major_version, FIRST_WITH_ADDITION);
	return true;
}
