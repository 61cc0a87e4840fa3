/* One request: a module, passes, machine code; or what the module defines. */
#include "codegen.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* What can go wrong with a compilation, in words; the first error stays. */
struct failure {
	enum farjit_status status;
	char message[FARJIT_MAX_MESSAGE_BYTES];
};

/* For the fatal error handler, which is told only a reason. One request is under way at a time. */
static const struct farjit_request *current;
/* Of that request; contexts tell it what is wrong. */
static struct failure failure_under_way;

static double now_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static void fail(struct failure *failure, enum farjit_status status, const char *what, const char *reason)
{
	if (failure->status != FARJIT_STATUS_DONE)
		return;
	failure->status = status;
	snprintf(failure->message, sizeof failure->message, "%s%s", what, reason ? reason : "");
}

static void on_diagnostic(LLVMDiagnosticInfoRef info, void *failure)
{
	/* Warnings and remarks are not for a JIT's user. Without a handler an error would end the process. */
	if (llvm.LLVMGetDiagInfoSeverity(info) != LLVMDSError)
		return;
	char *description = llvm.LLVMGetDiagInfoDescription(info);
	fail(failure, FARJIT_STATUS_COMPILE, "", description);
	llvm.LLVMDisposeMessage(description);
}

static void on_fatal_error(const char *reason)
{
	farjit_answer(current ? current->id : 0, FARJIT_STATUS_FATAL, NULL, reason, strlen(reason));
	_exit(FARJIT_EXIT_FATAL);
}

void farjit_install_fatal_error_handler(void)
{
	llvm.LLVMInstallFatalErrorHandler(on_fatal_error);
}

/*
 * Target machines, kept: one works out its CPU's scheduling model and features at its first function, half of what
 * compiling a small function takes. A compiler asks for two or three kinds.
 */
enum { KEPT_MACHINES = 8 };
static struct kept_machine {
	LLVMTargetMachineRef machine;
	uint8_t opt_level;
	char *triple, *cpu, *features;
} kept[KEPT_MACHINES];
static unsigned next_kept;

static bool fits(const struct kept_machine *entry, const struct farjit_request *request)
{
	return entry->machine && entry->opt_level == request->opt_level &&
	       strcmp(entry->triple, request->triple.start) == 0 && strcmp(entry->cpu, request->cpu.start) == 0 &&
	       strcmp(entry->features, request->features.start) == 0;
}

static LLVMTargetMachineRef target_machine(const struct farjit_request *request, struct failure *failure)
{
	for (unsigned i = 0; i < KEPT_MACHINES; i++)
		if (fits(&kept[i], request))
			return kept[i].machine;
	LLVMTargetRef target;
	char *message = NULL;
	if (!farjit_initialize_back_end(request->triple.start)) {
		fail(failure, FARJIT_STATUS_COMPILE, "this libLLVM generates no code for the target ",
		     request->triple.start);
		return NULL;
	}
	if (llvm.LLVMGetTargetFromTriple(request->triple.start, &target, &message) != 0) {
		fail(failure, FARJIT_STATUS_COMPILE, "", message);
		llvm.LLVMDisposeMessage(message);
		return NULL;
	}
	LLVMTargetMachineRef machine =
		llvm.LLVMCreateTargetMachine(target, request->triple.start, request->cpu.start, request->features.start,
					     request->opt_level, LLVMRelocPIC, LLVMCodeModelSmall);
	if (!machine) {
		fail(failure, FARJIT_STATUS_COMPILE, "this libLLVM generates no code for the target ",
		     request->triple.start);
		return NULL;
	}
	struct kept_machine *entry = &kept[next_kept++ % KEPT_MACHINES];
	if (entry->machine) {
		llvm.LLVMDisposeTargetMachine(entry->machine);
		free(entry->triple);
		free(entry->cpu);
		free(entry->features);
	}
	*entry = (struct kept_machine){machine, request->opt_level, strdup(request->triple.start),
				       strdup(request->cpu.start), strdup(request->features.start)};
	if (!entry->triple || !entry->cpu || !entry->features)
		abort();
	return machine;
}

static LLVMModuleRef parse(LLVMContextRef context, const struct farjit_request *request, struct failure *failure)
{
	bool is_text = request->form == FARJIT_FORM_ASSEMBLY;
	LLVMMemoryBufferRef buffer = llvm.LLVMCreateMemoryBufferWithMemoryRange(
		request->module.start, request->module.length, request->name.start, is_text);
	LLVMModuleRef module = NULL;
	char *message = NULL;
	LLVMBool failed;
	if (is_text) {
		/* Takes the buffer. */
		failed = llvm.LLVMParseIRInContext(context, buffer, &module, &message);
	} else {
		failed = llvm.LLVMParseBitcodeInContext(context, buffer, &module, &message);
		llvm.LLVMDisposeMemoryBuffer(buffer);
	}
	if (failed) {
		fail(failure, FARJIT_STATUS_BITCODE, "", message);
		llvm.LLVMDisposeMessage(message);
		return NULL;
	}
	llvm.LLVMSetModuleIdentifier(module, request->name.start, request->name.length);
	return module;
}

/* False: LLVM refuses the module, or reads it otherwise than who made it; what follows takes for granted what this checks. */
static bool is_sound(LLVMModuleRef module, struct failure *failure)
{
	char words[FARJIT_MAX_MESSAGE_BYTES];
	if (farjit_refuse_coroutines(module, words, sizeof words)) {
		fail(failure, FARJIT_STATUS_OLD_BITCODE, "", words);
		return false;
	}
	char *message = NULL;
	LLVMBool failed = llvm.LLVMVerifyModule(module, LLVMReturnStatusAction, &message);
	if (failed)
		fail(failure, FARJIT_STATUS_COMPILE, "it does not pass LLVM's verifier: ", message);
	llvm.LLVMDisposeMessage(message);
	return !failed;
}

/* The module as it came, verified. */
static LLVMModuleRef read_module(LLVMContextRef context, const struct farjit_request *request, struct failure *failure)
{
	LLVMModuleRef module;
	if (request->form == FARJIT_FORM_RECORDING) {
		module = farjit_replay(context, &request->name, &request->module);
		if (!module)
			fail(failure, FARJIT_STATUS_BITCODE, "", "it is no recording of an IR builder's calls");
	} else {
		module = parse(context, request, failure);
	}
	if (!module || is_sound(module, failure))
		return module;
	llvm.LLVMDisposeModule(module);
	return NULL;
}

static void run_passes(LLVMModuleRef module, LLVMTargetMachineRef machine, const struct farjit_request *request,
		       struct failure *failure)
{
	if (request->passes.length == 0)
		return;
	LLVMPassBuilderOptionsRef options = llvm.LLVMCreatePassBuilderOptions();
	LLVMErrorRef error = llvm.LLVMRunPasses(module, request->passes.start, machine, options);
	llvm.LLVMDisposePassBuilderOptions(options);
	if (!error)
		return;
	char *message = llvm.LLVMGetErrorMessage(error);
	fail(failure, FARJIT_STATUS_COMPILE, "cannot run its passes: ", message);
	llvm.LLVMDisposeErrorMessage(message);
}

/* Answers what a buffer holds, and disposes of it. */
static void answer_buffer(const struct farjit_request *request, const struct farjit_timings *timings,
			  LLVMMemoryBufferRef buffer)
{
	farjit_answer(request->id, FARJIT_STATUS_DONE, timings, llvm.LLVMGetBufferStart(buffer),
		      llvm.LLVMGetBufferSize(buffer));
	llvm.LLVMDisposeMemoryBuffer(buffer);
}

/* Answers the product or the failure; lowers the module's IR in place. */
static void emit(LLVMModuleRef module, LLVMTargetMachineRef machine, const struct farjit_request *request,
		 struct failure *failure, struct farjit_timings *timings)
{
	double start_ms = now_ms();
	if (request->product == FARJIT_PRODUCT_IR) {
		char *text = llvm.LLVMPrintModuleToString(module);
		farjit_answer(request->id, FARJIT_STATUS_DONE, timings, text, strlen(text));
		llvm.LLVMDisposeMessage(text);
		return;
	}
	if (request->product == FARJIT_PRODUCT_BITCODE) {
		answer_buffer(request, timings, llvm.LLVMWriteBitcodeToMemoryBuffer(module));
		return;
	}
	int file = request->product == FARJIT_PRODUCT_ASSEMBLY ? LLVMAssemblyFile : LLVMObjectFile;
	LLVMMemoryBufferRef buffer = NULL;
	char *message = NULL;
	if (llvm.LLVMTargetMachineEmitToMemoryBuffer(machine, module, file, &message, &buffer) != 0) {
		fail(failure, FARJIT_STATUS_COMPILE, "", message);
		llvm.LLVMDisposeMessage(message);
		return;
	}
	timings->emit_ms = now_ms() - start_ms;
	/* An error in inline assembly is told to the diagnostic handler alone. */
	if (failure->status == FARJIT_STATUS_DONE)
		answer_buffer(request, timings, buffer);
	else
		llvm.LLVMDisposeMemoryBuffer(buffer);
}

/*
 * A piece of the module, verified and prepared; of the rest no body has been read.
 * module: when it is opened already.
 */
static LLVMModuleRef read_piece(LLVMContextRef context, LLVMModuleRef module, LLVMTargetMachineRef machine,
				const struct farjit_request *request, struct failure *failure)
{
	if (!module)
		module = farjit_open_lazily(context, request);
	if (!module) {
		/* The diagnostic handler has been told why, which is what compilation tells otherwise. */
		failure->status = FARJIT_STATUS_BITCODE;
		return NULL;
	}
	char words[FARJIT_MAX_MESSAGE_BYTES];
	farjit_prepare_whole(context, module, machine, request);
	if (!farjit_extract(module, machine, request, words, sizeof words))
		fail(failure, FARJIT_STATUS_COMPILE, "", words);
	else if (farjit_is_piece_sound(module) || is_sound(module, failure)) {
		farjit_prepare_piece(context, module, request);
		return module;
	}
	llvm.LLVMDisposeModule(module);
	return NULL;
}

static LLVMModuleRef read_prepared(LLVMContextRef context, LLVMModuleRef opened, LLVMTargetMachineRef machine,
				   const struct farjit_request *request, struct failure *failure)
{
	if (request->piece != FARJIT_PIECE_WHOLE)
		return read_piece(context, opened, machine, request, failure);
	LLVMModuleRef module = read_module(context, request, failure);
	if (module)
		farjit_prepare_module(context, module, machine, request);
	return module;
}

/* opened: of a piece, its module in that context, or NULL; it is disposed of. */
static void compile_in(LLVMContextRef context, LLVMModuleRef opened, const struct farjit_request *request,
		       struct failure *failure)
{
	struct farjit_timings timings = {0};
	double start_ms = now_ms();
	LLVMTargetMachineRef machine = target_machine(request, failure);
	if (!machine && opened)
		llvm.LLVMDisposeModule(opened);
	LLVMModuleRef module = machine ? read_prepared(context, opened, machine, request, failure) : NULL;
	if (!module)
		return;
	timings.parse_ms = now_ms() - start_ms;
	start_ms = now_ms();
	run_passes(module, machine, request, failure);
	timings.passes_ms = now_ms() - start_ms;
	if (failure->status == FARJIT_STATUS_DONE)
		emit(module, machine, request, failure, &timings);
	llvm.LLVMDisposeModule(module);
}

/* The module to describe: without bodies where they make no difference. */
static LLVMModuleRef read_to_describe(LLVMContextRef context, const struct farjit_request *request,
				      struct failure *failure)
{
	if (request->piece == FARJIT_PIECE_WHOLE)
		return read_module(context, request, failure);
	LLVMModuleRef module = farjit_open_lazily(context, request);
	if (module && !farjit_why_whole(module) && !farjit_may_differ_in_layout(module)) {
		if (is_sound(module, failure))
			return module;
		llvm.LLVMDisposeModule(module);
		return NULL;
	}
	if (module)
		llvm.LLVMDisposeModule(module);
	/* What is wrong with it, reading says better. */
	failure->status = FARJIT_STATUS_DONE;
	return read_module(context, request, failure);
}

static void describe_in(LLVMContextRef context, const struct farjit_request *request, struct failure *failure)
{
	bool has_target = request->triple.length > 0;
	LLVMTargetMachineRef machine = has_target ? target_machine(request, failure) : NULL;
	LLVMModuleRef module = machine || !has_target ? read_to_describe(context, request, failure) : NULL;
	if (!module)
		return;
	char words[FARJIT_MAX_MESSAGE_BYTES];
	if ((machine && farjit_refuse_foreign(module, machine, request->triple.start, words, sizeof words)) ||
	    farjit_refuse_prefix_data(module, words, sizeof words)) {
		fail(failure, FARJIT_STATUS_COMPILE, "", words);
	} else if (machine && farjit_refuse_type_layout(module, machine, words, sizeof words)) {
		fail(failure, FARJIT_STATUS_OLD_BITCODE, "", words);
	} else {
		size_t length;
		char *description = farjit_describe_module(module, &length);
		farjit_answer(request->id, FARJIT_STATUS_DONE, NULL, description, length);
		free(description);
	}
	llvm.LLVMDisposeModule(module);
}

void farjit_compile(struct farjit_request *request)
{
	struct failure *failure = &failure_under_way;
	failure->status = FARJIT_STATUS_DONE;
	bool is_kept = request->module_key != 0;
	struct farjit_opened opened = {NULL, NULL};
	if (is_kept) {
		if (!farjit_find_kept(request)) {
			farjit_answer(request->id, FARJIT_STATUS_UNKNOWN, NULL, "", 0);
			return;
		}
		if (request->product != FARJIT_PRODUCT_INTERFACE)
			opened = farjit_take_opened(request);
	}
	current = request;
	LLVMContextRef context = opened.context ? opened.context : llvm.LLVMContextCreate();
	llvm.LLVMContextSetDiagnosticHandler(context, on_diagnostic, failure);
	if (request->product == FARJIT_PRODUCT_INTERFACE)
		describe_in(context, request, failure);
	else
		compile_in(context, opened.module, request, failure);
	llvm.LLVMContextDispose(context);
	if (failure->status != FARJIT_STATUS_DONE)
		farjit_answer(request->id, failure->status, NULL, failure->message, strlen(failure->message));
	else if (is_kept)
		farjit_open_ahead(request, on_diagnostic, failure);
	current = NULL;
}
