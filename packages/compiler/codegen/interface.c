/* What a module defines for others: names, and signatures of functions that a call block can hold. */
#include "codegen.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* LLVMLinkage whose definitions stay inside their module or are none. */
enum {
	LLVMAppendingLinkage = 7,
	LLVMExternalWeakLinkage = 12,
	LLVMCommonLinkage = 14,
};

enum { LLVMBitCast = 41 /* of LLVMOpcode */ };

static bool is_exported(LLVMValueRef value)
{
	size_t length;
	llvm.LLVMGetValueName2(value, &length);
	if (length == 0 || llvm.LLVMIsDeclaration(value))
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

static void put_u64(FILE *out, uint64_t value)
{
	fwrite(&value, sizeof value, 1, out);
}

/* Also of an alias of a thread-local variable, or of a part of one. */
static bool is_thread_local(LLVMValueRef value)
{
	while (!llvm.LLVMIsAGlobalVariable(value)) {
		if (llvm.LLVMIsAGlobalAlias(value))
			value = llvm.LLVMAliasGetAliasee(value);
		else if (llvm.LLVMIsAConstantExpr(value))
			value = llvm.LLVMGetOperand(value, 0);
		else
			return false;
	}
	return llvm.LLVMIsThreadLocal(value);
}

/* Enum farjit_symbol_flags. An alias is in the COMDAT group of what it stands for, and is weak by its own linkage. */
static unsigned symbol_flags(LLVMValueRef value)
{
	unsigned flags = llvm.LLVMGetVisibility(value) == LLVMHiddenVisibility ? FARJIT_SYMBOL_HIDDEN : 0;
	if (is_thread_local(value))
		flags |= FARJIT_SYMBOL_THREAD_LOCAL;
	switch (llvm.LLVMGetLinkage(value)) {
	case LLVMCommonLinkage:
		return flags | FARJIT_SYMBOL_COMMON;
	case LLVMLinkOnceODRLinkage:
	case LLVMWeakODRLinkage:
		flags |= FARJIT_SYMBOL_VAGUE;
		/* fall through */
	case LLVMLinkOnceAnyLinkage:
	case LLVMWeakAnyLinkage:
		return flags | FARJIT_SYMBOL_WEAK;
	}
	return flags | (llvm.LLVMIsAGlobalObject(value) && llvm.LLVMGetComdat(value) ? FARJIT_SYMBOL_WEAK : 0);
}

static void put_name(FILE *out, enum farjit_definition kind, LLVMValueRef value)
{
	size_t length;
	const char *name = llvm.LLVMGetValueName2(value, &length);
	unsigned flags = symbol_flags(value);
	put_u8(out, kind);
	put_u8(out, flags);
	put_u32(out, (uint32_t)length);
	fwrite(name, 1, length, out);
	if (flags & FARJIT_SYMBOL_COMMON)
		put_u64(out, llvm.LLVMABISizeOfType(llvm.LLVMGetModuleDataLayout(llvm.LLVMGetGlobalParent(value)),
						    llvm.LLVMGlobalGetValueType(value)));
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

/* A name that is no definition's. */
static void put_bare(FILE *out, enum farjit_definition kind, const char *name, size_t length)
{
	put_u8(out, kind);
	put_u8(out, 0);
	put_u32(out, (uint32_t)length);
	fwrite(name, 1, length, out);
}

static void put_parts(FILE *out, const struct farjit_parts *parts)
{
	put_u32(out, parts->count);
	for (unsigned i = 0; i < parts->count; i++) {
		put_u8(out, parts->at[i].place);
		put_u64(out, parts->at[i].size);
	}
}

static void put_passing(FILE *out, LLVMValueRef function)
{
	struct farjit_parts result, parameters;
	if (!farjit_find_passing(function, &result, &parameters))
		return;
	size_t length;
	const char *name = llvm.LLVMGetValueName2(function, &length);
	put_bare(out, FARJIT_DEFINITION_PASSING, name, length);
	put_parts(out, &result);
	put_parts(out, &parameters);
}

static void put_function(FILE *out, LLVMValueRef function)
{
	unsigned count;
	bool is_scalar = farjit_has_c_convention(function) && !farjit_has_hidden_pointers(function);
	uint8_t *kinds = is_scalar ? signature(llvm.LLVMGlobalGetValueType(function), &count) : NULL;
	put_name(out, kinds ? FARJIT_DEFINITION_CALLABLE : FARJIT_DEFINITION_FUNCTION, function);
	if (!kinds) {
		put_passing(out, function);
		return;
	}
	put_u32(out, count);
	fwrite(kinds, 1, count + 1, out);
	free(kinds);
}

static bool is_function(LLVMValueRef global)
{
	return llvm.LLVMGetTypeKind(llvm.LLVMGlobalGetValueType(global)) == LLVMFunctionTypeKind;
}

/* What an alias is at the place of; NULL when that is the middle of something. */
static LLVMValueRef aliased(LLVMValueRef value)
{
	while (!llvm.LLVMIsAGlobalObject(value)) {
		if (llvm.LLVMIsAGlobalAlias(value))
			value = llvm.LLVMAliasGetAliasee(value);
		else if (llvm.LLVMIsAConstantExpr(value) && llvm.LLVMGetConstOpcode(value) == LLVMBitCast)
			value = llvm.LLVMGetOperand(value, 0);
		else
			return NULL;
	}
	return value;
}

static void put_alias(FILE *out, LLVMValueRef alias)
{
	if (!is_function(alias)) {
		put_name(out, FARJIT_DEFINITION_DATA, alias);
		return;
	}
	put_function(out, alias);
	LLVMValueRef function = aliased(alias);
	if (!function)
		return;
	size_t length;
	const char *name = llvm.LLVMGetValueName2(alias, &length);
	put_bare(out, FARJIT_DEFINITION_ALIAS, name, length);
	name = llvm.LLVMGetValueName2(function, &length);
	put_u32(out, (uint32_t)length);
	fwrite(name, 1, length, out);
}

/* Sections whose contents are called when a program starts or ends. */
static const char *const run_sections[] = {".init_array", ".preinit_array", ".fini_array", ".ctors", ".dtors"};
#define RUN_SECTION_COUNT (sizeof run_sections / sizeof *run_sections)

static bool is_run(const char *section)
{
	for (size_t i = 0; section && i < RUN_SECTION_COUNT; i++)
		if (strncmp(section, run_sections[i], strlen(run_sections[i])) == 0)
			return true;
	return false;
}

/* Whether a variable becomes an entry of such a section. */
static bool lists_functions(LLVMValueRef global)
{
	if (llvm.LLVMIsDeclaration(global))
		return false;
	size_t length;
	const char *name = llvm.LLVMGetValueName2(global, &length);
	bool is_list = strcmp(name, "llvm.global_ctors") == 0 || strcmp(name, "llvm.global_dtors") == 0;
	return is_list ? llvm.LLVMGetArrayLength(llvm.LLVMGlobalGetValueType(global)) > 0
		       : is_run(llvm.LLVMGetSection(global));
}

/* The section that assembly in the module mentions; NULL: none. */
static const char *run_section_in_assembly(LLVMModuleRef module)
{
	size_t length;
	const char *assembly = llvm.LLVMGetModuleInlineAsm(module, &length);
	for (size_t i = 0; assembly && i < RUN_SECTION_COUNT; i++)
		if (strstr(assembly, run_sections[i]))
			return run_sections[i];
	return NULL;
}

/* The sections that variables are in by name. */
static void put_sections(FILE *out, LLVMModuleRef module)
{
	for (LLVMValueRef global = llvm.LLVMGetFirstGlobal(module); global; global = llvm.LLVMGetNextGlobal(global)) {
		const char *section = llvm.LLVMIsDeclaration(global) ? NULL : llvm.LLVMGetSection(global);
		if (!section || !*section)
			continue;
		put_bare(out, FARJIT_DEFINITION_SECTION, section, strlen(section));
	}
}

static void put_run_lists(FILE *out, LLVMModuleRef module)
{
	for (LLVMValueRef global = llvm.LLVMGetFirstGlobal(module); global; global = llvm.LLVMGetNextGlobal(global)) {
		if (!lists_functions(global))
			continue;
		size_t length;
		const char *name = llvm.LLVMGetValueName2(global, &length);
		put_bare(out, FARJIT_DEFINITION_RUN, name, length);
	}
	const char *section = run_section_in_assembly(module);
	if (section)
		put_bare(out, FARJIT_DEFINITION_RUN, section, strlen(section));
}

/* Another module has it: a body that is here all the same is there to be inlined only. */
static bool is_elsewhere(LLVMValueRef value)
{
	return llvm.LLVMIsDeclaration(value) || llvm.LLVMGetLinkage(value) == LLVMAvailableExternallyLinkage;
}

static bool is_intrinsic(LLVMValueRef function)
{
	return llvm.LLVMGetIntrinsicID(function) != 0;
}

/*
 * A module that declares the functions of this one, with attributes on those alone that LLVM knows by heart: what they
 * have here may come from an earlier pass, or from whoever wrote it. The caller disposes it.
 */
static LLVMModuleRef infer_library(LLVMModuleRef module)
{
	LLVMModuleRef library =
		llvm.LLVMModuleCreateWithNameInContext("library", llvm.LLVMGetModuleContext(module));
	llvm.LLVMSetTarget(library, llvm.LLVMGetTarget(module));
	size_t length;
	for (LLVMValueRef function = llvm.LLVMGetFirstFunction(module); function;
	     function = llvm.LLVMGetNextFunction(function))
		if (!is_intrinsic(function))
			llvm.LLVMAddFunction(library, llvm.LLVMGetValueName2(function, &length),
					     llvm.LLVMGlobalGetValueType(function));
	LLVMPassBuilderOptionsRef options = llvm.LLVMCreatePassBuilderOptions();
	LLVMErrorRef error = llvm.LLVMRunPasses(library, "inferattrs", NULL, options);
	llvm.LLVMDisposePassBuilderOptions(options);
	if (error)
		llvm.LLVMConsumeError(error);
	return library;
}

static bool has_attributes(LLVMValueRef function)
{
	unsigned count = llvm.LLVMCountParams(function);
	/* The function's own, the result's, and those of the parameters. */
	bool has = llvm.LLVMGetAttributeCountAtIndex(function, LLVMAttributeFunctionIndex) > 0;
	for (unsigned i = 0; i <= count && !has; i++)
		has = llvm.LLVMGetAttributeCountAtIndex(function, (int)i) > 0;
	return has;
}

/* What may stay without a definition is weak. */
static void put_elsewhere(FILE *out, LLVMValueRef declaration, unsigned flags)
{
	size_t length;
	const char *name = llvm.LLVMGetValueName2(declaration, &length);
	put_u8(out, FARJIT_DEFINITION_ELSEWHERE);
	put_u8(out, flags | (llvm.LLVMGetLinkage(declaration) == LLVMExternalWeakLinkage ? FARJIT_SYMBOL_WEAK : 0));
	put_u32(out, (uint32_t)length);
	fwrite(name, 1, length, out);
}

static bool is_known(LLVMModuleRef library, LLVMValueRef function)
{
	size_t length;
	LLVMValueRef known = llvm.LLVMGetNamedFunction(library, llvm.LLVMGetValueName2(function, &length));
	return known && has_attributes(known);
}

/* For whom else it is defined does not matter: LLVM goes by the name. */
static void put_own_library(FILE *out, LLVMModuleRef module, LLVMModuleRef library)
{
	for (LLVMValueRef function = llvm.LLVMGetFirstFunction(module); function;
	     function = llvm.LLVMGetNextFunction(function)) {
		if (is_elsewhere(function) || !is_known(library, function))
			continue;
		size_t length;
		const char *name = llvm.LLVMGetValueName2(function, &length);
		put_bare(out, FARJIT_DEFINITION_OWN_LIBRARY, name, length);
	}
}

/* All that have code of their own. */
static void put_functions_of_pieces(FILE *out, LLVMModuleRef module)
{
	for (LLVMValueRef function = llvm.LLVMGetFirstFunction(module); function;
	     function = llvm.LLVMGetNextFunction(function)) {
		if (is_elsewhere(function) || farjit_is_always_inlined(function))
			continue;
		size_t length;
		const char *name = llvm.LLVMGetValueName2(function, &length);
		put_u8(out, FARJIT_DEFINITION_IN_PIECES);
		put_u8(out, is_exported(function) ? 0 : FARJIT_SYMBOL_HIDDEN);
		put_u32(out, (uint32_t)length);
		fwrite(name, 1, length, out);
	}
}

char *farjit_describe_module(LLVMModuleRef module, size_t *length)
{
	LLVMModuleRef library = infer_library(module);
	char *description = NULL;
	FILE *out = open_memstream(&description, length);
	if (!out)
		abort();
	for (LLVMValueRef function = llvm.LLVMGetFirstFunction(module); function;
	     function = llvm.LLVMGetNextFunction(function))
		if (is_exported(function))
			put_function(out, function);
		else if (is_elsewhere(function) && !is_intrinsic(function))
			put_elsewhere(out, function, is_known(library, function) ? FARJIT_SYMBOL_LIBRARY : 0);
	for (LLVMValueRef data = llvm.LLVMGetFirstGlobal(module); data; data = llvm.LLVMGetNextGlobal(data))
		if (is_exported(data))
			put_name(out, FARJIT_DEFINITION_DATA, data);
		else if (is_thread_local(data))
			put_name(out, FARJIT_DEFINITION_THREAD_LOCAL, data);
		else if (is_elsewhere(data))
			put_elsewhere(out, data, 0);
	for (LLVMValueRef alias = llvm.LLVMGetFirstGlobalAlias(module); alias;
	     alias = llvm.LLVMGetNextGlobalAlias(alias))
		if (is_exported(alias))
			put_alias(out, alias);
	for (LLVMValueRef ifunc = llvm.LLVMGetFirstGlobalIFunc(module); ifunc;
	     ifunc = llvm.LLVMGetNextGlobalIFunc(ifunc))
		if (is_exported(ifunc))
			put_function(out, ifunc);
	put_own_library(out, module, library);
	llvm.LLVMDisposeModule(library);
	size_t assembly_length;
	llvm.LLVMGetModuleInlineAsm(module, &assembly_length);
	if (assembly_length > 0)
		put_bare(out, FARJIT_DEFINITION_ASSEMBLY, "", 0);
	put_run_lists(out, module);
	put_sections(out, module);
	const char *reason = farjit_why_whole(module);
	if (reason)
		put_bare(out, FARJIT_DEFINITION_WHOLE, reason, strlen(reason));
	else
		put_functions_of_pieces(out, module);
	if (fclose(out) != 0)
		abort();
	return description;
}
