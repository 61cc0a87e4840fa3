/*
 * Modules that pieces are made of. Their bytes are kept, so that they come once. Each is opened for its next piece when one has
 * been made: opening a large module takes longer than what is then made of it, and there is time for it while the program runs.
 */
#include "codegen.h"

#include <stdlib.h>
#include <string.h>

/* A program's modules of which pieces are wanted in turn. */
enum { KEPT_MODULES = 4 };

static struct kept_module {
	/* 0: there is none. */
	uint32_t key;
	/* In `storage`. */
	struct farjit_bytes module;
	char *storage;
	struct farjit_opened opened;
	/* The higher, the later it was asked for. */
	uint64_t last_use;
} kept[KEPT_MODULES];

static void close_opened(struct farjit_opened *opened)
{
	if (opened->module)
		llvm.LLVMDisposeModule(opened->module);
	if (opened->context)
		llvm.LLVMContextDispose(opened->context);
	*opened = (struct farjit_opened){NULL, NULL};
}

/* The module of a key, or else the one that has not been asked for longest. */
static struct kept_module *place_of(uint32_t key)
{
	struct kept_module *oldest = kept;
	for (unsigned i = 0; i < KEPT_MODULES; i++) {
		if (kept[i].key == key)
			return &kept[i];
		if (kept[i].last_use < oldest->last_use)
			oldest = &kept[i];
	}
	return oldest;
}

bool farjit_find_kept(struct farjit_request *request)
{
	static uint64_t use_count;
	struct kept_module *place = place_of(request->module_key);
	if (request->module.length > 0) {
		close_opened(&place->opened);
		free(place->storage);
		*place = (struct kept_module){
			.key = request->module_key, .module = request->module, .storage = request->storage};
		request->storage = NULL;
	} else if (place->key != request->module_key) {
		return false;
	}
	place->last_use = ++use_count;
	request->module = place->module;
	return true;
}

struct farjit_opened farjit_take_opened(const struct farjit_request *request)
{
	struct kept_module *place = place_of(request->module_key);
	struct farjit_opened taken = place->opened;
	place->opened = (struct farjit_opened){NULL, NULL};
	if (taken.module)
		llvm.LLVMSetModuleIdentifier(taken.module, request->name.start, request->name.length);
	return taken;
}

void farjit_open_ahead(const struct farjit_request *request, LLVMDiagnosticHandler handler, void *told)
{
	struct kept_module *place = place_of(request->module_key);
	if (place->opened.module)
		return;
	struct farjit_opened opened = {.context = llvm.LLVMContextCreate()};
	llvm.LLVMContextSetDiagnosticHandler(opened.context, handler, told);
	opened.module = farjit_open_lazily(opened.context, request);
	if (opened.module)
		place->opened = opened;
	else
		close_opened(&opened);
}
