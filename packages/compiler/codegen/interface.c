/* What a module defines for others: names, and signatures of functions that a call block can hold. */
#include "codegen.h"

#include <stdio.h>
#include <stdlib.h>

/* LLVMTypeKind as far as a call block holds it, and LLVMLinkage whose definitions stay inside their module or are none.
 */
enum {
	LLVMVoidTypeKind = 0,
	LLVMFloatTypeKind = 2,
	LLVMDoubleTypeKind = 3,
	LLVMIntegerTypeKind = 8,
	LLVMPointerTypeKind = 12,
	LLVMAppendingLinkage = 7,
	LLVMInternalLinkage = 8,
	LLVMPrivateLinkage = 9,
};

static bool is_exported(LLVMValueRef value)
{
	if (llvm.LLVMIsDeclaration(value))
		return false;
	int linkage = llvm.LLVMGetLinkage(value);
	return linkage != LLVMAvailableExternallyLinkage && linkage != LLVMAppendingLinkage &&
	       linkage != LLVMInternalLinkage && linkage != LLVMPrivateLinkage;
}

/* FARJIT_SCALAR_NONE for a type that a call block does not hold. */
static enum farjit_scalar scalar(LLVMTypeRef type)
{
	switch (llvm.LLVMGetTypeKind(type)) {
	case LLVMFloatTypeKind:
		return FARJIT_SCALAR_FLOAT;
	case LLVMDoubleTypeKind:
		return FARJIT_SCALAR_DOUBLE;
	case LLVMPointerTypeKind:
		return FARJIT_SCALAR_PTR;
	case LLVMIntegerTypeKind:
		switch (llvm.LLVMGetIntTypeWidth(type)) {
		case 1:
			return FARJIT_SCALAR_I1;
		case 8:
			return FARJIT_SCALAR_I8;
		case 16:
			return FARJIT_SCALAR_I16;
		case 32:
			return FARJIT_SCALAR_I32;
		case 64:
			return FARJIT_SCALAR_I64;
		}
	}
	return FARJIT_SCALAR_NONE;
}

static void put_u8(FILE *out, unsigned value)
{
	fputc((int)value, out);
}

static void put_u32(FILE *out, uint32_t value)
{
	fwrite(&value, sizeof value, 1, out);
}

static void put_name(FILE *out, enum farjit_definition kind, LLVMValueRef value)
{
	size_t length;
	const char *name = llvm.LLVMGetValueName2(value, &length);
	put_u8(out, kind);
	put_u32(out, (uint32_t)length);
	fwrite(name, 1, length, out);
}

/* The kinds of result and parameters, from malloc, result first; NULL when one is none that a call block holds. */
static uint8_t *signature(LLVMTypeRef type, unsigned *count)
{
	if (llvm.LLVMIsFunctionVarArg(type))
		return NULL;
	*count = llvm.LLVMCountParamTypes(type);
	LLVMTypeRef *types = calloc(*count + 1, sizeof *types);
	uint8_t *kinds = calloc(*count + 1, 1);
	if (!types || !kinds)
		abort();
	llvm.LLVMGetParamTypes(type, types);
	LLVMTypeRef result = llvm.LLVMGetReturnType(type);
	kinds[0] = llvm.LLVMGetTypeKind(result) == LLVMVoidTypeKind ? FARJIT_SCALAR_VOID : scalar(result);
	bool is_whole = kinds[0] != FARJIT_SCALAR_NONE;
	for (unsigned i = 0; i < *count; i++) {
		kinds[i + 1] = scalar(types[i]);
		is_whole = is_whole && kinds[i + 1] != FARJIT_SCALAR_NONE;
	}
	free(types);
	if (is_whole)
		return kinds;
	free(kinds);
	return NULL;
}

static void put_function(FILE *out, LLVMValueRef function)
{
	unsigned count;
	uint8_t *kinds = signature(llvm.LLVMGlobalGetValueType(function), &count);
	put_name(out, kinds ? FARJIT_DEFINITION_CALLABLE : FARJIT_DEFINITION_FUNCTION, function);
	if (!kinds)
		return;
	put_u32(out, count);
	fwrite(kinds, 1, count + 1, out);
	free(kinds);
}

char *farjit_describe_module(LLVMModuleRef module, size_t *length)
{
	char *description = NULL;
	FILE *out = open_memstream(&description, length);
	if (!out)
		abort();
	for (LLVMValueRef function = llvm.LLVMGetFirstFunction(module); function;
	     function = llvm.LLVMGetNextFunction(function))
		if (is_exported(function))
			put_function(out, function);
	for (LLVMValueRef data = llvm.LLVMGetFirstGlobal(module); data; data = llvm.LLVMGetNextGlobal(data))
		if (is_exported(data))
			put_name(out, FARJIT_DEFINITION_DATA, data);
	if (fclose(out) != 0)
		abort();
	return description;
}
