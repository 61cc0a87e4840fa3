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

enum { LLVMGetElementPtr = 29 /* of LLVMOpcode */ };

/* Types that are alike, and constants with only such, by the low bits of their addresses: the same few come again and again. */
enum { SEEN = 1024 };
struct layouts {
	LLVMTargetDataRef then, now;
	const void *seen[SEEN];
};

static const void **place_of(struct layouts *layouts, const void *what)
{
	return &layouts->seen[((uintptr_t)what >> 4) % SEEN];
}

static bool is_alike(struct layouts *layouts, LLVMTypeRef type)
{
	int kind = llvm.LLVMGetTypeKind(type);
	if (kind != LLVMStructTypeKind && kind != LLVMArrayTypeKind && kind != LLVMIntegerTypeKind)
		return true;
	if (*place_of(layouts, type) == type)
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
	*place_of(layouts, type) = type;
	return true;
}

/* Of the addresses in a constant: those of parts of variables are counted out by LLVM, as a type says. */
static bool is_constant_alike(struct layouts *layouts, LLVMValueRef value)
{
	if (!llvm.LLVMIsAConstant(value) || llvm.LLVMIsAGlobalValue(value) || *place_of(layouts, value) == value)
		return true;
	if (llvm.LLVMIsAConstantExpr(value) && llvm.LLVMGetConstOpcode(value) == LLVMGetElementPtr &&
	    !is_alike(layouts, llvm.LLVMGetGEPSourceElementType(value)))
		return false;
	int count = llvm.LLVMGetNumOperands(value);
	for (int i = 0; i < count; i++)
		if (!is_constant_alike(layouts, llvm.LLVMGetOperand(value, (unsigned)i)))
			return false;
	*place_of(layouts, value) = value;
	return true;
}

static bool is_instruction_alike(struct layouts *layouts, LLVMValueRef at)
{
	LLVMTypeRef type = llvm.LLVMIsAGetElementPtrInst(at) ? llvm.LLVMGetGEPSourceElementType(at)
			   : llvm.LLVMIsAAllocaInst(at)      ? llvm.LLVMGetAllocatedType(at)
							     : NULL;
	if (type && !is_alike(layouts, type))
		return false;
	int count = llvm.LLVMGetNumOperands(at);
	for (int i = 0; i < count; i++)
		if (!is_constant_alike(layouts, llvm.LLVMGetOperand(at, (unsigned)i)))
			return false;
	return true;
}

/* What is passed by value has the size that its type says. */
static bool is_passing_alike(struct layouts *layouts, LLVMValueRef function)
{
	static const char BY_VALUE[] = "byval";
	unsigned kind = llvm.LLVMGetEnumAttributeKindForName(BY_VALUE, sizeof BY_VALUE - 1);
	for (unsigned i = 1; i <= llvm.LLVMCountParams(function); i++) {
		LLVMAttributeRef by_value = llvm.LLVMGetEnumAttributeAtIndex(function, (int)i, kind);
		if (by_value && !is_alike(layouts, llvm.LLVMGetTypeAttributeValue(by_value)))
			return false;
	}
	return true;
}

static bool is_function_alike(struct layouts *layouts, LLVMValueRef function)
{
	if (!is_passing_alike(layouts, function))
		return false;
	for (LLVMBasicBlockRef block = llvm.LLVMGetFirstBasicBlock(function); block;
	     block = llvm.LLVMGetNextBasicBlock(block))
		for (LLVMValueRef at = llvm.LLVMGetFirstInstruction(block); at; at = llvm.LLVMGetNextInstruction(at))
			if (!is_instruction_alike(layouts, at))
				return false;
	return true;
}

static bool is_variable_alike(struct layouts *layouts, LLVMValueRef variable)
{
	LLVMValueRef value = llvm.LLVMGetInitializer(variable);
	return is_alike(layouts, llvm.LLVMGlobalGetValueType(variable)) &&
	       (!value || is_constant_alike(layouts, value));
}

/* What has a type that is laid out otherwise; NULL when nothing does. */
static LLVMValueRef first_otherwise(struct layouts *layouts, LLVMModuleRef module)
{
	for (LLVMValueRef at = llvm.LLVMGetFirstGlobal(module); at; at = llvm.LLVMGetNextGlobal(at))
		if (!is_variable_alike(layouts, at))
			return at;
	for (LLVMValueRef at = llvm.LLVMGetFirstFunction(module); at; at = llvm.LLVMGetNextFunction(at))
		if (!is_function_alike(layouts, at))
			return at;
	for (LLVMValueRef at = llvm.LLVMGetFirstGlobalAlias(module); at; at = llvm.LLVMGetNextGlobalAlias(at))
		if (!is_constant_alike(layouts, llvm.LLVMAliasGetAliasee(at)))
			return at;
	return NULL;
}

bool farjit_may_differ_in_layout(LLVMModuleRef module)
{
	unsigned version = farjit_clang_version(module);
	return llvm.major_version >= FIRST_WITH_ADDITION && version != 0 && version < FIRST_WITH_ADDITION;
}

bool farjit_refuse_type_layout(LLVMModuleRef module, LLVMTargetMachineRef machine, char *words, size_t size)
{
	if (!farjit_may_differ_in_layout(module))
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
		 farjit_clang_version(module), (int)length, name, llvm.major_version, FIRST_WITH_ADDITION);
	return true;
}
