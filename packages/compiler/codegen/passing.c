/* How x86-64 passes what a function takes and gives, as far as the types and attributes of LLVM say it. */
#include "codegen.h"

#include <string.h>

#define MAX_REGISTER_BITS 64
/* More types in each other than those of a function that anybody calls: hostile ones could take forever. */
#define MAX_VISITED_TYPES 1024
#define MAX_DEPTH 32

/* Registers of each kind that a result is in. */
#define MAX_RESULT_PARTS 2

/* Attributes of pointers that are passed otherwise, or stand for what they point to. */
static const char *const other_attributes[] = {"inalloca", "preallocated", "nest", "swiftself", "swifterror"};
#define OTHER_ATTRIBUTE_COUNT (sizeof other_attributes / sizeof *other_attributes)

static LLVMAttributeRef attribute_of(LLVMValueRef function, unsigned parameter, const char *name)
{
	unsigned kind = llvm.LLVMGetEnumAttributeKindForName(name, strlen(name));
	return llvm.LLVMGetEnumAttributeAtIndex(function, (int)parameter + 1, kind);
}

static bool is_passed_otherwise(LLVMValueRef function, unsigned parameter)
{
	for (size_t i = 0; i < OTHER_ATTRIBUTE_COUNT; i++)
		if (attribute_of(function, parameter, other_attributes[i]))
			return true;
	return false;
}

/* The function that a name stands for; NULL where that is not known before it runs. */
static LLVMValueRef function_of(LLVMValueRef value)
{
	while (!llvm.LLVMIsAFunction(value)) {
		if (llvm.LLVMIsAGlobalAlias(value))
			value = llvm.LLVMAliasGetAliasee(value);
		else if (llvm.LLVMIsAConstantExpr(value))
			value = llvm.LLVMGetOperand(value, 0);
		else
			return NULL;
	}
	return value;
}

bool farjit_has_c_convention(LLVMValueRef value)
{
	LLVMValueRef function = function_of(value);
	return !function || llvm.LLVMGetFunctionCallConv(function) == LLVMCCallConv;
}

bool farjit_has_hidden_pointers(LLVMValueRef value)
{
	LLVMValueRef function = function_of(value);
	unsigned count = function ? llvm.LLVMCountParams(function) : 0;
	for (unsigned i = 0; i < count; i++)
		if (attribute_of(function, i, "byval") || attribute_of(function, i, "sret") ||
		    is_passed_otherwise(function, i))
			return true;
	return false;
}

static bool add_part(struct farjit_parts *parts, enum farjit_place place, uint64_t size)
{
	if (parts->count == FARJIT_MAX_PARTS)
		return false;
	parts->at[parts->count].place = (uint8_t)place;
	parts->at[parts->count++].size = size;
	return true;
}

/* Each scalar of a struct takes a register of its own: C's compilers have put together before what shares one. */
static bool add_type(struct farjit_parts *parts, LLVMTypeRef type, unsigned depth, unsigned *visited)
{
	if (depth == MAX_DEPTH || ++*visited > MAX_VISITED_TYPES)
		return false;
	unsigned count;
	switch (llvm.LLVMGetTypeKind(type)) {
	case LLVMFloatTypeKind:
		return add_part(parts, FARJIT_PLACE_SSE, 4);
	case LLVMDoubleTypeKind:
		return add_part(parts, FARJIT_PLACE_SSE, 8);
	case LLVMPointerTypeKind:
		return add_part(parts, FARJIT_PLACE_INTEGER, 8);
	case LLVMIntegerTypeKind:
		count = llvm.LLVMGetIntTypeWidth(type);
		return count <= MAX_REGISTER_BITS && add_part(parts, FARJIT_PLACE_INTEGER, (count + 7) / 8);
	case LLVMVectorTypeKind:
		return llvm.LLVMGetTypeKind(llvm.LLVMGetElementType(type)) == LLVMFloatTypeKind &&
		       llvm.LLVMGetVectorSize(type) == 2 && add_part(parts, FARJIT_PLACE_SSE, 8);
	case LLVMStructTypeKind:
		count = llvm.LLVMCountStructElementTypes(type);
		for (unsigned i = 0; i < count; i++)
			if (!add_type(parts, llvm.LLVMStructGetTypeAtIndex(type, i), depth + 1, visited))
				return false;
		return true;
	case LLVMArrayTypeKind:
		count = llvm.LLVMGetArrayLength(type);
		for (unsigned i = 0; i < count; i++)
			if (!add_type(parts, llvm.LLVMGetElementType(type), depth + 1, visited))
				return false;
		return true;
	}
	return false;
}

/* What a pointer stands for. */
static bool add_pointee(struct farjit_parts *parts, enum farjit_place place, LLVMAttributeRef attribute,
			LLVMTargetDataRef layout)
{
	LLVMTypeRef type = llvm.LLVMGetTypeAttributeValue(attribute);
	return type && llvm.LLVMTypeIsSized(type) &&
	       add_part(parts, place, llvm.LLVMABISizeOfType(layout, type));
}

static bool add_parameter(struct farjit_parts *parts, LLVMValueRef function, unsigned parameter, LLVMTypeRef type,
			  unsigned *visited)
{
	LLVMTargetDataRef layout = llvm.LLVMGetModuleDataLayout(llvm.LLVMGetGlobalParent(function));
	LLVMAttributeRef by_value = attribute_of(function, parameter, "byval");
	LLVMAttributeRef result = attribute_of(function, parameter, "sret");
	if (is_passed_otherwise(function, parameter))
		return false;
	if (by_value)
		return add_pointee(parts, FARJIT_PLACE_MEMORY, by_value, layout);
	if (result)
		return parameter == 0 && add_pointee(parts, FARJIT_PLACE_RESULT, result, layout);
	return add_type(parts, type, 0, visited);
}

static bool add_result(struct farjit_parts *parts, LLVMTypeRef type, unsigned *visited)
{
	if (llvm.LLVMGetTypeKind(type) == LLVMVoidTypeKind)
		return true;
	if (!add_type(parts, type, 0, visited))
		return false;
	unsigned counts[2] = {0};
	for (unsigned i = 0; i < parts->count; i++)
		counts[parts->at[i].place == FARJIT_PLACE_SSE]++;
	return counts[0] <= MAX_RESULT_PARTS && counts[1] <= MAX_RESULT_PARTS;
}

bool farjit_find_passing(LLVMValueRef value, struct farjit_parts *result, struct farjit_parts *parameters)
{
	result->count = parameters->count = 0;
	LLVMValueRef function = function_of(value);
	if (!function || llvm.LLVMGetFunctionCallConv(function) != LLVMCCallConv)
		return false;
	LLVMTypeRef type = llvm.LLVMGlobalGetValueType(function);
	unsigned count = llvm.LLVMCountParamTypes(type);
	LLVMTypeRef types[FARJIT_MAX_PARTS];
	if (count > FARJIT_MAX_PARTS || llvm.LLVMIsFunctionVarArg(type))
		return false;
	llvm.LLVMGetParamTypes(type, types);
	unsigned visited = 0;
	for (unsigned i = 0; i < count; i++)
		if (!add_parameter(parameters, function, i, types[i], &visited))
			return false;
	return add_result(result, llvm.LLVMGetReturnType(type), &visited);
}
