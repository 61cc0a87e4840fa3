/*
 * Pieces of a module: some of its functions, or its data, compiled by themselves. Bodies are read of the functions that are
 * in the piece alone, so that a piece of a large module takes what its own functions take.
 *
 * What was internal is called the same in each piece, by a name that is marked, so that the linker makes of it again what
 * only this module can name. Variables are in the piece of data alone, their addresses being compared: pieces of functions
 * have their initialisers for the optimiser to look at.
 */
#include "codegen.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* LLVMOpcode */
enum { LLVMInvoke = 5, LLVMCall = 45 };

/* LLVMDLLStorageClass */
enum { LLVMDefaultStorageClass = 0, LLVMDLLExportStorageClass = 2 };

/* In the order in which they were found: callers before what they call. */
struct functions {
	LLVMValueRef *at;
	size_t count, capacity;
};

struct piece {
	LLVMModuleRef module;
	LLVMPassManagerRef reader;
	/* Code is made of them. */
	struct functions own;
	/* They are read to be inlined where they are called, which they say has to be. */
	struct functions inlined;
};

LLVMModuleRef farjit_open_lazily(LLVMContextRef context, const struct farjit_request *request)
{
	LLVMMemoryBufferRef buffer = llvm.LLVMCreateMemoryBufferWithMemoryRange(
		request->module.start, request->module.length, request->name.start, 0);
	LLVMModuleRef module = NULL;
	/* Takes the buffer. */
	if (llvm.LLVMGetBitcodeModuleInContext2(context, buffer, &module))
		return NULL;
	llvm.LLVMSetModuleIdentifier(module, request->name.start, request->name.length);
	return module;
}

static bool has_body(LLVMValueRef function)
{
	return llvm.LLVMGetFirstBasicBlock(function) != NULL;
}

/* Whether code can be made of it in this piece, and none has been. */
static bool is_left(LLVMValueRef function)
{
	return !llvm.LLVMIsDeclaration(function) && !has_body(function) &&
	       llvm.LLVMGetLinkage(function) != LLVMAvailableExternallyLinkage;
}

/* Reads its body. */
static void add(struct piece *piece, struct functions *to, LLVMValueRef function)
{
	if (to->count == to->capacity) {
		to->capacity = to->capacity * 2 + 16;
		LLVMValueRef *grown = realloc(to->at, to->capacity * sizeof *to->at);
		if (!grown)
			abort();
		to->at = grown;
	}
	to->at[to->count++] = function;
	/* It has no passes: reading is all that it does. Damage ends the process, with LLVM's words. */
	llvm.LLVMRunFunctionPassManager(piece->reader, function);
}

/* Each of the names that a NUL is behind: the next one after *at, or false. */
static bool next_name(const struct farjit_bytes *names, size_t *at, struct farjit_bytes *name)
{
	if (*at >= names->length)
		return false;
	name->start = names->start + *at;
	name->length = strnlen(name->start, names->length - *at);
	*at += name->length + 1;
	return true;
}

/* False: one of those that were asked for is not there. */
static bool add_asked(struct piece *piece, const struct farjit_bytes *names, char *words, size_t size)
{
	struct farjit_bytes name;
	for (size_t at = 0; next_name(names, &at, &name);) {
		LLVMValueRef function = farjit_find_function(piece->module, &name);
		if (!function || llvm.LLVMIsDeclaration(function)) {
			snprintf(words, size, "it defines no function %s", name.start);
			return false;
		}
		if (is_left(function))
			add(piece, &piece->own, function);
	}
	return true;
}

/* The function that an instruction calls by its name; NULL: none. */
static LLVMValueRef callee_of(LLVMValueRef instruction)
{
	int opcode = llvm.LLVMGetInstructionOpcode(instruction);
	if (opcode != LLVMCall && opcode != LLVMInvoke)
		return NULL;
	LLVMValueRef callee = llvm.LLVMGetCalledValue(instruction);
	while (callee && llvm.LLVMIsAConstantExpr(callee))
		callee = llvm.LLVMGetOperand(callee, 0);
	return callee ? llvm.LLVMIsAFunction(callee) : NULL;
}

bool farjit_is_always_inlined(LLVMValueRef function)
{
	static const char ALWAYS[] = "alwaysinline";
	unsigned kind = llvm.LLVMGetEnumAttributeKindForName(ALWAYS, sizeof ALWAYS - 1);
	return llvm.LLVMGetEnumAttributeAtIndex(function, LLVMAttributeFunctionIndex, kind) != NULL;
}

/* Adds what a function calls and `is_wanted` accepts, until there are as many as there may be. */
static void add_callees(struct piece *piece, LLVMValueRef function, struct functions *to, size_t most,
			bool (*is_wanted)(LLVMValueRef))
{
	for (LLVMBasicBlockRef block = llvm.LLVMGetFirstBasicBlock(function); block;
	     block = llvm.LLVMGetNextBasicBlock(block))
		for (LLVMValueRef at = llvm.LLVMGetFirstInstruction(block); at && to->count < most;
		     at = llvm.LLVMGetNextInstruction(at)) {
			LLVMValueRef callee = callee_of(at);
			if (callee && is_wanted(callee))
				add(piece, to, callee);
		}
}

static bool is_companion(LLVMValueRef function)
{
	return is_left(function) && !farjit_is_always_inlined(function);
}

static bool is_to_be_inlined(LLVMValueRef function)
{
	return farjit_is_always_inlined(function) && !has_body(function) && !llvm.LLVMIsDeclaration(function);
}

static void add_companions(struct piece *piece, size_t most)
{
	for (size_t i = 0; i < piece->own.count && piece->own.count < most; i++)
		add_callees(piece, piece->own.at[i], &piece->own, most, is_companion);
}

static void add_inlined(struct piece *piece)
{
	for (size_t i = 0; i < piece->own.count; i++)
		add_callees(piece, piece->own.at[i], &piece->inlined, SIZE_MAX, is_to_be_inlined);
	for (size_t i = 0; i < piece->inlined.count; i++)
		add_callees(piece, piece->inlined.at[i], &piece->inlined, SIZE_MAX, is_to_be_inlined);
}

static bool is_local(LLVMValueRef value)
{
	int linkage = llvm.LLVMGetLinkage(value);
	return linkage == LLVMInternalLinkage || linkage == LLVMPrivateLinkage;
}

static void mark_name(LLVMValueRef value, char kind)
{
	size_t length;
	const char *name = llvm.LLVMGetValueName2(value, &length);
	char *marked = malloc(length + 2);
	if (!marked)
		abort();
	memcpy(marked, name, length);
	marked[length] = FARJIT_LOCAL_MARK;
	marked[length + 1] = kind;
	llvm.LLVMSetValueName2(value, marked, length + 2);
	free(marked);
}

/* What is not in this piece. That it was local is noted where ELF has nothing, until it is known whether it is used. */
static void declare(LLVMValueRef value)
{
	bool was_local = is_local(value);
	llvm.LLVMSetComdat(value, NULL);
	llvm.LLVMSetLinkage(value, LLVMAvailableExternallyLinkage);
	if (was_local)
		llvm.LLVMSetDLLStorageClass(value, LLVMDLLExportStorageClass);
}

/* What only the module can name, and is in this piece, is the same for all pieces from now on. */
static void promote(LLVMValueRef value, char kind)
{
	if (!is_local(value))
		return;
	mark_name(value, kind);
	/* It stays `dso_local`: no table is needed to find it. */
	llvm.LLVMSetLinkage(value, LLVMExternalLinkage);
	llvm.LLVMSetVisibility(value, LLVMHiddenVisibility);
}

/* Functions that other pieces have are not this one's. */
static void leave_compiled(LLVMModuleRef module, const struct farjit_bytes *names)
{
	struct farjit_bytes name;
	for (size_t at = 0; next_name(names, &at, &name);) {
		LLVMValueRef function = farjit_find_function(module, &name);
		if (!function || !is_left(function))
			continue;
		declare(function);
	}
}

/* Whether a variable is none: LLVM's own lists, which say nothing that a piece needs. */
static bool is_list(LLVMValueRef variable)
{
	static const char OWN[] = "llvm.";
	size_t length;
	return strncmp(llvm.LLVMGetValueName2(variable, &length), OWN, sizeof OWN - 1) == 0;
}

static void share_variables(LLVMModuleRef module, bool are_here)
{
	for (LLVMValueRef at = llvm.LLVMGetFirstGlobal(module), next; at; at = next) {
		next = llvm.LLVMGetNextGlobal(at);
		if (is_list(at))
			llvm.LLVMDeleteGlobal(at);
		else if (are_here)
			promote(at, FARJIT_LOCAL_DATA);
		else if (!llvm.LLVMIsDeclaration(at))
			declare(at);
	}
}

static bool run_passes(LLVMModuleRef module, LLVMTargetMachineRef machine, const char *passes, char *words, size_t size)
{
	LLVMPassBuilderOptionsRef options = llvm.LLVMCreatePassBuilderOptions();
	LLVMErrorRef error = llvm.LLVMRunPasses(module, passes, machine, options);
	llvm.LLVMDisposePassBuilderOptions(options);
	if (!error)
		return true;
	char *message = llvm.LLVMGetErrorMessage(error);
	snprintf(words, size, "cannot declare what is not in the piece: %s", message);
	llvm.LLVMDisposeErrorMessage(message);
	return false;
}

/* What is declared and was local gets the name that it has where it is. */
static void name_declared(LLVMValueRef value, char kind)
{
	if (llvm.LLVMGetDLLStorageClass(value) != LLVMDLLExportStorageClass)
		return;
	llvm.LLVMSetDLLStorageClass(value, LLVMDefaultStorageClass);
	mark_name(value, kind);
}

/* Most of a large module is of no concern for a piece: nothing that goes through all has to look at it any more. */
static bool drop_unused(LLVMModuleRef module, LLVMTargetMachineRef machine, char *words, size_t size)
{
	if (!run_passes(module, machine, "globaldce", words, size))
		return false;
	for (LLVMValueRef at = llvm.LLVMGetFirstFunction(module); at; at = llvm.LLVMGetNextFunction(at))
		name_declared(at, FARJIT_LOCAL_FUNCTION);
	for (LLVMValueRef at = llvm.LLVMGetFirstGlobal(module); at; at = llvm.LLVMGetNextGlobal(at))
		name_declared(at, FARJIT_LOCAL_DATA);
	return true;
}

/* Functions whose bodies were read stay, all others are declared. */
static bool drop_functions(struct piece *piece, LLVMTargetMachineRef machine, char *words, size_t size)
{
	size_t body_count = 0;
	for (LLVMValueRef at = llvm.LLVMGetFirstFunction(piece->module); at; at = llvm.LLVMGetNextFunction(at)) {
		bool is_here = has_body(at);
		body_count += is_here;
		if (is_here)
			promote(at, FARJIT_LOCAL_FUNCTION);
		else if (!llvm.LLVMIsDeclaration(at))
			declare(at);
	}
	/* LLVM reads a body that nobody has asked for when somebody has the address of a place in it. */
	if (body_count != piece->own.count + piece->inlined.count) {
		snprintf(words, size, "one of its functions has the address of a place inside another: it is compiled as a "
				      "whole with the option extraction off");
		return false;
	}
	for (size_t i = 0; i < piece->inlined.count; i++)
		llvm.LLVMSetLinkage(piece->inlined.at[i], LLVMExternalLinkage);
	bool is_done = run_passes(piece->module, machine, "elim-avail-extern", words, size);
	for (size_t i = 0; i < piece->inlined.count; i++)
		declare(piece->inlined.at[i]);
	return is_done;
}

static bool choose(struct piece *piece, const struct farjit_request *request, char *words, size_t size)
{
	if (request->piece == FARJIT_PIECE_DATA)
		return true;
	if (request->piece == FARJIT_PIECE_FUNCTIONS && !add_asked(piece, &request->asked, words, size))
		return false;
	leave_compiled(piece->module, &request->compiled);
	if (request->piece == FARJIT_PIECE_FUNCTIONS)
		add_companions(piece, request->most_functions);
	else
		for (LLVMValueRef at = llvm.LLVMGetFirstFunction(piece->module); at; at = llvm.LLVMGetNextFunction(at))
			if (is_left(at))
				add(piece, &piece->own, at);
	add_inlined(piece);
	return true;
}

bool farjit_extract(LLVMModuleRef module, LLVMTargetMachineRef machine, const struct farjit_request *request,
		    char *words, size_t size)
{
	struct piece piece = {.module = module, .reader = llvm.LLVMCreateFunctionPassManagerForModule(module)};
	bool is_made = choose(&piece, request, words, size) && drop_functions(&piece, machine, words, size);
	llvm.LLVMDisposePassManager(piece.reader);
	free(piece.own.at);
	free(piece.inlined.at);
	if (!is_made)
		return false;
	share_variables(module, request->piece == FARJIT_PIECE_DATA);
	return drop_unused(module, machine, words, size);
}

bool farjit_is_piece_sound(LLVMModuleRef module)
{
	for (LLVMValueRef at = llvm.LLVMGetFirstFunction(module); at; at = llvm.LLVMGetNextFunction(at))
		if (has_body(at) && llvm.LLVMVerifyFunction(at, LLVMReturnStatusAction))
			return false;
	return true;
}
