/* From a module as it was made to one that the executor's linker and trap reports can work with. */
#include "codegen.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* llvm::UWTableKind::Async: tables that hold at every instruction, as a walk from a trap needs. */
#define UWTABLE_ASYNC 2
/* The first version in which `uwtable` takes a kind. */
#define UWTABLE_KIND_SINCE 15

static LLVMAttributeRef enum_attribute(LLVMContextRef context, const char *name, uint64_t value)
{
	return llvm.LLVMCreateEnumAttribute(context, llvm.LLVMGetEnumAttributeKindForName(name, strlen(name)), value);
}

/* Whether code of it may come with tables: of jumps, which passes make of branches too, or of what to do with exceptions. */
static bool may_have_tables(LLVMValueRef function)
{
	return llvm.LLVMHasPersonalityFn(function) ||
	       llvm.LLVMGetNextBasicBlock(llvm.LLVMGetFirstBasicBlock(function)) != NULL;
}

/*
 * A group of sections that any number of objects may have: LLVM puts the tables of such a function in sections of their own,
 * and those of all others in one, which would tie them together.
 */
static void place_tables_beside(LLVMModuleRef module, LLVMValueRef function, const char *name)
{
	int linkage = llvm.LLVMGetLinkage(function);
	bool is_emitted = linkage != LLVMPrivateLinkage && linkage != LLVMAvailableExternallyLinkage;
	if (!is_emitted || llvm.LLVMGetComdat(function) || !may_have_tables(function))
		return;
	LLVMComdatRef group = llvm.LLVMGetOrInsertComdat(module, name);
	llvm.LLVMSetComdatSelectionKind(group, LLVMNoDeduplicateComdatSelectionKind);
	llvm.LLVMSetComdat(function, group);
}

/*
 * `.text.` and the symbol, by which the linker splits the object.
 * module: the function's, when its tables are to be beside it; else NULL.
 */
static void place_in_own_section(LLVMModuleRef module, LLVMValueRef function, unsigned *unnamed_count)
{
	const char *section = llvm.LLVMGetSection(function);
	if (section && *section)
		return;
	size_t length;
	const char *name = llvm.LLVMGetValueName2(function, &length);
	/* As in farjit_find_function. */
	if (length > 0 && name[0] == 1) {
		name++;
		length--;
	}
	char *own = malloc(length + sizeof ".text.__unnamed_4294967295");
	if (!own)
		abort();
	if (length > 0)
		sprintf(own, ".text.%.*s", (int)length, name);
	else
		sprintf(own, ".text.__unnamed_%u", ++*unnamed_count);
	llvm.LLVMSetSection(function, own);
	if (module && length > 0)
		place_tables_beside(module, function, own + strlen(".text."));
	free(own);
}

/*
 * As `-fno-builtin-NAME` for all that the module defines. Else LLVM turns the `printf` of its own `puts` into a `puts`,
 * which never ends.
 */
static void mark_callers(LLVMContextRef context, LLVMModuleRef module, const struct farjit_bytes *name)
{
	static const char prefix[] = "no-builtin-";
	char *text = malloc(sizeof prefix + name->length);
	if (!text)
		abort();
	int length = sprintf(text, "%s%s", prefix, name->start);
	LLVMAttributeRef no_builtin = llvm.LLVMCreateStringAttribute(context, text, (unsigned)length, "", 0);
	free(text);
	for (LLVMValueRef function = llvm.LLVMGetFirstFunction(module); function;
	     function = llvm.LLVMGetNextFunction(function))
		if (!llvm.LLVMIsDeclaration(function))
			llvm.LLVMAddAttributeAtIndex(function, LLVMAttributeFunctionIndex, no_builtin);
}

LLVMValueRef farjit_find_function(LLVMModuleRef module, const struct farjit_bytes *symbol)
{
	LLVMValueRef function = llvm.LLVMGetNamedFunction(module, symbol->start);
	if (function)
		return function;
	char *name = malloc(1 + symbol->length + 1);
	if (!name)
		abort();
	sprintf(name, "\1%s", symbol->start);
	function = llvm.LLVMGetNamedFunction(module, name);
	free(name);
	return function;
}

/* A program's own `fabs`, in this module or another, is not libm's, which LLVM would turn into an instruction. */
static void mark_program_defined(LLVMContextRef context, LLVMModuleRef module, const struct farjit_request *request)
{
	const char *at = request->program_defined;
	for (uint16_t i = 0; i < request->program_defined_count; i++) {
		struct farjit_bytes name = farjit_next_bytes(&at);
		LLVMValueRef function = farjit_find_function(module, &name);
		if (!function)
			continue;
		llvm.LLVMAddAttributeAtIndex(function, LLVMAttributeFunctionIndex,
					     enum_attribute(context, "nobuiltin", 0));
		if (!llvm.LLVMIsDeclaration(function) &&
		    llvm.LLVMGetLinkage(function) != LLVMAvailableExternallyLinkage)
			mark_callers(context, module, &name);
	}
}

/*
 * What nobody in its module uses is dropped when it is linkonce; others, who are compiled later, may use this one. What has no
 * name is for nobody else: LLVM would give it one that the next module has, too.
 */
static void keep(LLVMValueRef definition)
{
	size_t length;
	llvm.LLVMGetValueName2(definition, &length);
	int linkage = llvm.LLVMGetLinkage(definition);
	bool is_emitted = linkage != LLVMAvailableExternallyLinkage && !llvm.LLVMIsDeclaration(definition);
	if (length == 0 && is_emitted && linkage != LLVMPrivateLinkage)
		llvm.LLVMSetLinkage(definition, LLVMInternalLinkage);
	else if (linkage == LLVMLinkOnceAnyLinkage)
		llvm.LLVMSetLinkage(definition, LLVMWeakAnyLinkage);
	else if (linkage == LLVMLinkOnceODRLinkage)
		llvm.LLVMSetLinkage(definition, LLVMWeakODRLinkage);
}

static void keep_definitions(LLVMModuleRef module)
{
	for (LLVMValueRef function = llvm.LLVMGetFirstFunction(module); function;
	     function = llvm.LLVMGetNextFunction(function))
		if (!llvm.LLVMIsDeclaration(function))
			keep(function);
	for (LLVMValueRef data = llvm.LLVMGetFirstGlobal(module); data; data = llvm.LLVMGetNextGlobal(data))
		keep(data);
	for (LLVMValueRef alias = llvm.LLVMGetFirstGlobalAlias(module); alias;
	     alias = llvm.LLVMGetNextGlobalAlias(alias))
		keep(alias);
	for (LLVMValueRef ifunc = llvm.LLVMGetFirstGlobalIFunc(module); ifunc;
	     ifunc = llvm.LLVMGetNextGlobalIFunc(ifunc))
		keep(ifunc);
}

static void prepare_definitions(LLVMContextRef context, LLVMModuleRef module, bool has_tables)
{
	LLVMAttributeRef frame_pointer =
		llvm.LLVMCreateStringAttribute(context, "frame-pointer", strlen("frame-pointer"), "all", 3);
	LLVMAttributeRef uwtable =
		enum_attribute(context, "uwtable", llvm.major_version >= UWTABLE_KIND_SINCE ? UWTABLE_ASYNC : 0);
	unsigned unnamed_count = 0;
	for (LLVMValueRef function = llvm.LLVMGetFirstFunction(module); function;
	     function = llvm.LLVMGetNextFunction(function)) {
		if (llvm.LLVMIsDeclaration(function))
			continue;
		llvm.LLVMAddAttributeAtIndex(function, LLVMAttributeFunctionIndex, frame_pointer);
		llvm.LLVMAddAttributeAtIndex(function, LLVMAttributeFunctionIndex, uwtable);
		place_in_own_section(has_tables ? module : NULL, function, &unnamed_count);
	}
}

void farjit_prepare_whole(LLVMContextRef context, LLVMModuleRef module, LLVMTargetMachineRef machine,
			  const struct farjit_request *request)
{
	llvm.LLVMSetTarget(module, request->triple.start);
	LLVMTargetDataRef layout = llvm.LLVMCreateTargetDataLayout(machine);
	llvm.LLVMSetModuleDataLayout(module, layout);
	llvm.LLVMDisposeTargetData(layout);
	keep_definitions(module);
	mark_program_defined(context, module, request);
}

void farjit_prepare_piece(LLVMContextRef context, LLVMModuleRef module, const struct farjit_request *request)
{
	/* A copy of a function would share its section. */
	if (request->product != FARJIT_PRODUCT_BITCODE)
		/* Functions of doubles, as they are recorded, come without tables. */
		prepare_definitions(context, module, request->form != FARJIT_FORM_RECORDING);
}

void farjit_prepare_module(LLVMContextRef context, LLVMModuleRef module, LLVMTargetMachineRef machine,
			   const struct farjit_request *request)
{
	farjit_prepare_whole(context, module, machine, request);
	farjit_prepare_piece(context, module, request);
}
