/*
 * Modules that are compiled as a whole: in pieces they would not mean the same, or nobody has made sure that they would.
 * What is said here is decided before anything of the module is compiled.
 */
#include "codegen.h"

#include <string.h>

static LLVMValueRef first_reason_user(LLVMValueRef block)
{
	/* Blocks are used by branches, and by their addresses. */
	for (LLVMUseRef use = llvm.LLVMGetFirstUse(block); use; use = llvm.LLVMGetNextUse(use)) {
		LLVMValueRef user = llvm.LLVMGetUser(use);
		if (llvm.LLVMIsABlockAddress(user))
			return user;
	}
	return NULL;
}

/* Whether who has the address of a place in a function is that function itself. */
static bool is_used_inside(LLVMValueRef address, LLVMValueRef function)
{
	for (LLVMUseRef use = llvm.LLVMGetFirstUse(address); use; use = llvm.LLVMGetNextUse(use)) {
		LLVMValueRef user = llvm.LLVMGetUser(use);
		if (!llvm.LLVMIsAInstruction(user) ||
		    llvm.LLVMGetBasicBlockParent(llvm.LLVMGetInstructionParent(user)) != function)
			return false;
	}
	return true;
}

static bool has_places_elsewhere(LLVMValueRef function)
{
	for (LLVMBasicBlockRef block = llvm.LLVMGetFirstBasicBlock(function); block;
	     block = llvm.LLVMGetNextBasicBlock(block)) {
		LLVMValueRef address = first_reason_user(llvm.LLVMBasicBlockAsValue(block));
		if (address && !is_used_inside(address, function))
			return true;
	}
	return false;
}

/* Another object may have the group, and then all of it: only one of a single member of the same name is as good as none. */
static const char *why_group(LLVMModuleRef module, LLVMValueRef value, const char *name)
{
	LLVMComdatRef group = llvm.LLVMGetComdat(value);
	if (!group)
		return NULL;
	int linkage = llvm.LLVMGetLinkage(value);
	bool is_local = linkage == LLVMInternalLinkage || linkage == LLVMPrivateLinkage;
	return is_local || llvm.LLVMGetOrInsertComdat(module, name) != group ? "a COMDAT group of several" : NULL;
}

static const char *why_value(LLVMModuleRef module, LLVMValueRef value)
{
	size_t length;
	const char *name = llvm.LLVMGetValueName2(value, &length);
	if (llvm.LLVMIsDeclaration(value))
		return memchr(name, FARJIT_LOCAL_MARK, length) ? "a name with a mark of ours" : NULL;
	if (length == 0)
		return "a definition without a name";
	if (memchr(name, FARJIT_LOCAL_MARK, length) || memchr(name, 0, length))
		return "a name with a mark of ours";
	int linkage = llvm.LLVMGetLinkage(value);
	if (name[0] == 1 && (linkage == LLVMInternalLinkage || linkage == LLVMPrivateLinkage))
		return "a local name that is not to be changed";
	const char *section = llvm.LLVMGetSection(value);
	if (section && *section)
		return "a section of its own choice";
	/* Pieces note there what was local. */
	if (llvm.LLVMGetDLLStorageClass(value) != 0)
		return "a DLL storage class";
	return why_group(module, value, name);
}

static const char *why_variable(LLVMModuleRef module, LLVMValueRef variable)
{
	static const char OWN[] = "llvm.";
	size_t length;
	const char *name = llvm.LLVMGetValueName2(variable, &length);
	if (strncmp(name, OWN, sizeof OWN - 1) != 0)
		return why_value(module, variable);
	if (strcmp(name, "llvm.used") == 0 || strcmp(name, "llvm.compiler.used") == 0)
		return "definitions that somebody uses unseen";
	return "functions to run at the start or the end";
}

static const char *why_function(LLVMModuleRef module, LLVMValueRef function)
{
	if (has_places_elsewhere(function))
		return "an address of a place inside a function, outside of it";
	return why_value(module, function);
}

const char *farjit_why_whole(LLVMModuleRef module)
{
	size_t length;
	llvm.LLVMGetModuleInlineAsm(module, &length);
	if (length > 0)
		return "assembly";
	if (llvm.LLVMGetFirstGlobalAlias(module))
		return "aliases";
	if (llvm.LLVMGetFirstGlobalIFunc(module))
		return "indirect functions";
	if (llvm.LLVMGetNamedMetadataNumOperands(module, "llvm.dbg.cu") > 0)
		return "debug information";
	if (llvm.LLVMGetNamedFunction(module, "llvm.coro.id"))
		return "coroutines";
	const char *reason = NULL;
	for (LLVMValueRef at = llvm.LLVMGetFirstFunction(module); at && !reason; at = llvm.LLVMGetNextFunction(at))
		reason = why_function(module, at);
	for (LLVMValueRef at = llvm.LLVMGetFirstGlobal(module); at && !reason; at = llvm.LLVMGetNextGlobal(at))
		reason = why_variable(module, at);
	return reason;
}
