/*
 * The module of the last piece, opened for the next one: opening a large module takes longer than what is then made of it, and
 * there is time for it while the program runs.
 */
#include "codegen.h"

#include <stdlib.h>
#include <string.h>

/* What a module that was opened lazily is read from. */
static struct {
	struct farjit_opened opened;
	struct farjit_bytes name, module;
	/* Both of them are in it. */
	char *storage;
} ahead;

static bool is_same(const struct farjit_bytes *one, const struct farjit_bytes *other)
{
	return one->length == other->length && memcmp(one->start, other->start, one->length) == 0;
}

static void close_opened(struct farjit_opened *opened)
{
	if (opened->module)
		llvm.LLVMDisposeModule(opened->module);
	if (opened->context)
		llvm.LLVMContextDispose(opened->context);
	opened->module = NULL;
	opened->context = NULL;
}

struct farjit_opened farjit_take_opened(const struct farjit_request *request)
{
	struct farjit_opened taken = ahead.opened;
	if (!taken.module || !is_same(&ahead.name, &request->name) || !is_same(&ahead.module, &request->module))
		return (struct farjit_opened){NULL, NULL};
	ahead.opened = (struct farjit_opened){NULL, NULL};
	return taken;
}

void farjit_open_ahead(struct farjit_request *request, LLVMDiagnosticHandler handler, void *told)
{
	close_opened(&ahead.opened);
	free(ahead.storage);
	ahead.storage = request->storage;
	ahead.name = request->name;
	ahead.module = request->module;
	request->storage = NULL;
	ahead.opened.context = llvm.LLVMContextCreate();
	llvm.LLVMContextSetDiagnosticHandler(ahead.opened.context, handler, told);
	ahead.opened.module = farjit_open_lazily(ahead.opened.context, request);
}
