/*
 * Makes the calls of an IR builder that the compiler's IR generation has written down: its process has no LLVM that
 * could crash over them.
 */
#include "codegen.h"
#include "recording.h"

#include <stdlib.h>
#include <string.h>

/* What all modules say that come from sources, as LLVM puts it into the object. */
static const char SOURCE_FILE_NAME[] = "farjit";

/* Types, values or blocks in the order in which they were made. */
struct table {
	void **entries;
	size_t count, room;
};

struct replay {
	LLVMContextRef context;
	LLVMModuleRef module;
	LLVMBuilderRef builder;
	struct farjit_recording recording;
	struct table types, values, blocks;
	/* The builder stands somewhere. */
	bool is_placed;
};

static void add(struct table *table, void *entry)
{
	if (table->count == table->room) {
		table->room = table->room ? 2 * table->room : 256;
		table->entries = realloc(table->entries, table->room * sizeof *table->entries);
		if (!table->entries)
			abort();
	}
	table->entries[table->count++] = entry;
}

static void *read_entry(struct replay *replay, const struct table *table)
{
	uint32_t index = farjit_read_u32(&replay->recording);
	if (index < table->count)
		return table->entries[index];
	replay->recording.is_broken = true;
	return NULL;
}

static LLVMTypeRef read_type(struct replay *replay)
{
	return read_entry(replay, &replay->types);
}

static LLVMValueRef read_value(struct replay *replay)
{
	return read_entry(replay, &replay->values);
}

static LLVMBasicBlockRef read_block(struct replay *replay)
{
	return read_entry(replay, &replay->blocks);
}

/* `count` entries, from malloc; NULL when there are not so many. */
static void *read_entries(struct replay *replay, const struct table *table, uint32_t count)
{
	if (count > farjit_recording_rest(&replay->recording) / sizeof(uint32_t)) {
		replay->recording.is_broken = true;
		return NULL;
	}
	void **entries = calloc((size_t)count + 1, sizeof *entries);
	if (!entries)
		abort();
	for (uint32_t i = 0; i < count; i++)
		entries[i] = read_entry(replay, table);
	return entries;
}

static LLVMTypeRef scalar_type(struct replay *replay, uint8_t scalar)
{
	switch (scalar) {
	case FARJIT_SCALAR_VOID:
		return llvm.LLVMVoidTypeInContext(replay->context);
	case FARJIT_SCALAR_DOUBLE:
		return llvm.LLVMDoubleTypeInContext(replay->context);
	case FARJIT_SCALAR_FLOAT:
		return llvm.LLVMFloatTypeInContext(replay->context);
	case FARJIT_SCALAR_I1:
		return llvm.LLVMIntTypeInContext(replay->context, 1);
	case FARJIT_SCALAR_I8:
		return llvm.LLVMIntTypeInContext(replay->context, 8);
	case FARJIT_SCALAR_I16:
		return llvm.LLVMIntTypeInContext(replay->context, 16);
	case FARJIT_SCALAR_I32:
		return llvm.LLVMIntTypeInContext(replay->context, 32);
	case FARJIT_SCALAR_I64:
		return llvm.LLVMIntTypeInContext(replay->context, 64);
	}
	replay->recording.is_broken = true;
	return NULL;
}

static void make_type(struct replay *replay, uint8_t what)
{
	LLVMTypeRef type = NULL;
	if (what == FARJIT_IR_SCALAR_TYPE) {
		type = scalar_type(replay, farjit_read_u8(&replay->recording));
	} else if (what == FARJIT_IR_POINTER_TYPE) {
		LLVMTypeRef element = read_type(replay);
		type = replay->recording.is_broken ? NULL : llvm.LLVMPointerType(element, 0);
	} else if (what == FARJIT_IR_STRUCT_TYPE) {
		uint32_t count = farjit_read_u32(&replay->recording);
		LLVMTypeRef *fields = read_entries(replay, &replay->types, count);
		type = replay->recording.is_broken ?
			       NULL :
			       llvm.LLVMStructTypeInContext(replay->context, fields, count, 0);
		free(fields);
	} else {
		uint32_t count = farjit_read_u32(&replay->recording);
		LLVMTypeRef result = read_type(replay);
		LLVMTypeRef *parameters = read_entries(replay, &replay->types, count);
		type = replay->recording.is_broken ? NULL : llvm.LLVMFunctionType(result, parameters, count, 0);
		free(parameters);
	}
	add(&replay->types, type);
}

static LLVMValueRef make_function(struct replay *replay)
{
	LLVMTypeRef type = read_type(replay);
	uint8_t linkage = farjit_read_u8(&replay->recording);
	const char *name = farjit_read_text(&replay->recording);
	if (replay->recording.is_broken)
		return NULL;
	LLVMValueRef function = llvm.LLVMAddFunction(replay->module, name, type);
	llvm.LLVMSetLinkage(function, linkage);
	return function;
}

static LLVMValueRef make_argument(struct replay *replay)
{
	LLVMValueRef function = read_value(replay);
	uint32_t index = farjit_read_u32(&replay->recording);
	if (replay->recording.is_broken)
		return NULL;
	if (index < llvm.LLVMCountParams(function))
		return llvm.LLVMGetParam(function, index);
	replay->recording.is_broken = true;
	return NULL;
}

static LLVMValueRef make_constant(struct replay *replay, uint8_t what)
{
	struct farjit_recording *recording = &replay->recording;
	if (what == FARJIT_IR_DOUBLE)
		return llvm.LLVMConstReal(llvm.LLVMDoubleTypeInContext(replay->context), farjit_read_f64(recording));
	if (what == FARJIT_IR_INT64)
		return llvm.LLVMConstInt(llvm.LLVMIntTypeInContext(replay->context, 64), farjit_read_u64(recording), 0);
	LLVMTypeRef type = read_type(replay);
	return replay->recording.is_broken ? NULL : llvm.LLVMConstNull(type);
}

static void name_value(struct replay *replay)
{
	LLVMValueRef value = read_value(replay);
	const char *name = farjit_read_text(&replay->recording);
	if (!replay->recording.is_broken)
		llvm.LLVMSetValueName2(value, name, strlen(name));
}

static void make_block(struct replay *replay)
{
	LLVMValueRef function = read_value(replay);
	const char *name = farjit_read_text(&replay->recording);
	if (!replay->recording.is_broken)
		add(&replay->blocks, llvm.LLVMAppendBasicBlockInContext(replay->context, function, name));
}

static void place_builder(struct replay *replay, uint8_t what)
{
	LLVMBasicBlockRef block = read_block(replay);
	if (replay->recording.is_broken)
		return;
	replay->is_placed = true;
	LLVMValueRef first = NULL;
	if (what == FARJIT_IR_AT_START) {
		first = llvm.LLVMGetFirstInstruction(block);
		while (first && llvm.LLVMIsAPHINode(first))
			first = llvm.LLVMGetNextInstruction(first);
	}
	if (first)
		llvm.LLVMPositionBuilderBefore(replay->builder, first);
	else
		llvm.LLVMPositionBuilderAtEnd(replay->builder, block);
}

static LLVMValueRef build_terminator(struct replay *replay, uint8_t what)
{
	LLVMBuilderRef builder = replay->builder;
	LLVMValueRef value = what == FARJIT_IR_RET || what == FARJIT_IR_COND_BR ? read_value(replay) : NULL;
	LLVMBasicBlockRef target = what == FARJIT_IR_BR || what == FARJIT_IR_COND_BR ? read_block(replay) : NULL;
	LLVMBasicBlockRef other = what == FARJIT_IR_COND_BR ? read_block(replay) : NULL;
	if (replay->recording.is_broken)
		return NULL;
	switch (what) {
	case FARJIT_IR_RET:
		return llvm.LLVMBuildRet(builder, value);
	case FARJIT_IR_BR:
		return llvm.LLVMBuildBr(builder, target);
	case FARJIT_IR_COND_BR:
		return llvm.LLVMBuildCondBr(builder, value, target, other);
	default:
		return llvm.LLVMBuildRetVoid(builder);
	}
}

static LLVMValueRef build_operation(struct replay *replay, uint8_t what)
{
	LLVMBuilderRef builder = replay->builder;
	uint8_t how = farjit_read_u8(&replay->recording);
	LLVMValueRef left = read_value(replay);
	LLVMTypeRef type = what == FARJIT_IR_CAST ? read_type(replay) : NULL;
	LLVMValueRef right = what == FARJIT_IR_CAST ? NULL : read_value(replay);
	const char *name = farjit_read_text(&replay->recording);
	if (replay->recording.is_broken)
		return NULL;
	switch (what) {
	case FARJIT_IR_BINARY:
		return llvm.LLVMBuildBinOp(builder, how, left, right, name);
	case FARJIT_IR_ICMP:
		return llvm.LLVMBuildICmp(builder, how, left, right, name);
	case FARJIT_IR_FCMP:
		return llvm.LLVMBuildFCmp(builder, how, left, right, name);
	default:
		return llvm.LLVMBuildCast(builder, how, left, type, name);
	}
}

static LLVMValueRef build_store(struct replay *replay)
{
	LLVMValueRef value = read_value(replay);
	LLVMValueRef pointer = read_value(replay);
	return replay->recording.is_broken ? NULL : llvm.LLVMBuildStore(replay->builder, value, pointer);
}

/* Allocas, loads, getelementptrs and phis: what begins with a type and ends with a name. */
static LLVMValueRef build_typed(struct replay *replay, uint8_t what)
{
	LLVMBuilderRef builder = replay->builder;
	LLVMTypeRef type = read_type(replay);
	LLVMValueRef pointer = what == FARJIT_IR_LOAD || what == FARJIT_IR_GEP ? read_value(replay) : NULL;
	LLVMValueRef index = what == FARJIT_IR_GEP ? read_value(replay) : NULL;
	const char *name = farjit_read_text(&replay->recording);
	if (replay->recording.is_broken)
		return NULL;
	switch (what) {
	case FARJIT_IR_ALLOCA:
		return llvm.LLVMBuildAlloca(builder, type, name);
	case FARJIT_IR_LOAD:
		return llvm.LLVMBuildLoad2(builder, type, pointer, name);
	case FARJIT_IR_GEP:
		return llvm.LLVMBuildGEP2(builder, type, pointer, &index, 1, name);
	default:
		return llvm.LLVMBuildPhi(builder, type, name);
	}
}

static void add_incoming(struct replay *replay)
{
	LLVMValueRef phi = read_value(replay);
	LLVMValueRef value = read_value(replay);
	LLVMBasicBlockRef block = read_block(replay);
	if (replay->recording.is_broken || !llvm.LLVMIsAPHINode(phi))
		replay->recording.is_broken = true;
	else
		llvm.LLVMAddIncoming(phi, &value, &block, 1);
}

static LLVMValueRef build_call(struct replay *replay)
{
	LLVMTypeRef type = read_type(replay);
	LLVMValueRef callee = read_value(replay);
	uint32_t count = farjit_read_u32(&replay->recording);
	LLVMValueRef *values = read_entries(replay, &replay->values, count);
	const char *name = farjit_read_text(&replay->recording);
	LLVMValueRef call = NULL;
	if (!replay->recording.is_broken)
		call = llvm.LLVMBuildCall2(replay->builder, type, callee, values, count, name);
	free(values);
	return call;
}

/* What makes a value. */
static LLVMValueRef make_value(struct replay *replay, uint8_t what)
{
	switch (what) {
	case FARJIT_IR_FUNCTION:
		return make_function(replay);
	case FARJIT_IR_ARGUMENT:
		return make_argument(replay);
	case FARJIT_IR_DOUBLE:
	case FARJIT_IR_INT64:
	case FARJIT_IR_NULL:
		return make_constant(replay, what);
	}
	/* Everything else is an instruction. */
	replay->recording.is_broken = replay->recording.is_broken || !replay->is_placed;
	if (replay->recording.is_broken)
		return NULL;
	switch (what) {
	case FARJIT_IR_RET:
	case FARJIT_IR_RET_VOID:
	case FARJIT_IR_BR:
	case FARJIT_IR_COND_BR:
		return build_terminator(replay, what);
	case FARJIT_IR_BINARY:
	case FARJIT_IR_ICMP:
	case FARJIT_IR_FCMP:
	case FARJIT_IR_CAST:
		return build_operation(replay, what);
	case FARJIT_IR_ALLOCA:
	case FARJIT_IR_LOAD:
	case FARJIT_IR_GEP:
	case FARJIT_IR_PHI:
		return build_typed(replay, what);
	case FARJIT_IR_STORE:
		return build_store(replay);
	case FARJIT_IR_CALL:
		return build_call(replay);
	}
	replay->recording.is_broken = true;
	return NULL;
}

static void make_call(struct replay *replay)
{
	uint8_t what = farjit_read_u8(&replay->recording);
	switch (what) {
	case FARJIT_IR_SCALAR_TYPE:
	case FARJIT_IR_POINTER_TYPE:
	case FARJIT_IR_FUNCTION_TYPE:
	case FARJIT_IR_STRUCT_TYPE:
		make_type(replay, what);
		return;
	case FARJIT_IR_NAME:
		name_value(replay);
		return;
	case FARJIT_IR_BLOCK:
		make_block(replay);
		return;
	case FARJIT_IR_AT_END:
	case FARJIT_IR_AT_START:
		place_builder(replay, what);
		return;
	case FARJIT_IR_ADD_INCOMING:
		add_incoming(replay);
		return;
	default:
		add(&replay->values, make_value(replay, what));
	}
}

LLVMModuleRef farjit_replay(LLVMContextRef context, const struct farjit_bytes *name,
			    const struct farjit_bytes *recording)
{
	struct replay replay = {
		.context = context,
		.module = llvm.LLVMModuleCreateWithNameInContext(name->start, context),
		.builder = llvm.LLVMCreateBuilderInContext(context),
		.recording = {.at = recording->start, .end = recording->start + recording->length},
	};
	llvm.LLVMSetSourceFileName(replay.module, SOURCE_FILE_NAME, strlen(SOURCE_FILE_NAME));
	while (!replay.recording.is_broken && farjit_recording_rest(&replay.recording) > 0)
		make_call(&replay);
	llvm.LLVMDisposeBuilder(replay.builder);
	free(replay.types.entries);
	free(replay.values.entries);
	free(replay.blocks.entries);
	if (!replay.recording.is_broken)
		return replay.module;
	llvm.LLVMDisposeModule(replay.module);
	return NULL;
}
