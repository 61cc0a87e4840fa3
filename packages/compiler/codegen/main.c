/*
 * farjit-codegen LIBLLVM [FUNCTIONS]: compiles what its parent sends until the parent closes the pipe. Of functions that are
 * named, divided by commas, LLVM prints the IR after each pass to standard error.
 */
#include "codegen.h"

#include "../confine/confine.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#if defined(__x86_64__)
#define FARJIT_ARCHITECTURE "x86_64"
#elif defined(__aarch64__)
#define FARJIT_ARCHITECTURE "aarch64"
#endif

/* Bitcode may be hostile: what it makes of this process has three descriptors, memory that is never executable, and
 * not all of the machine's: LLVM allocates what a damaged module says. */
static const struct farjit_confinement confinement = {
	.activity = FARJIT_ACTIVITY_COMPUTE,
	.limits =
		{
			.address_space_bytes = FARJIT_MAX_ADDRESS_SPACE_BYTES,
			.data_bytes = FARJIT_MAX_MEMORY_BYTES,
			.cpu_seconds = FARJIT_UNLIMITED,
			.file_bytes = 0,
			.descriptors = 0,
			.processes = 0,
		},
};

static int report_confinement(void)
{
	struct farjit_confinement_result result;
	struct farjit_confinement same = confinement;
	/* Standard output may be one. */
	same.limits.file_bytes = FARJIT_UNLIMITED;
	if (!farjit_confine(&same, &result)) {
		fprintf(stderr, "farjit-codegen: %s\n", result.missing);
		return 1;
	}
	farjit_print_confinement(&result);
	return 0;
}

/* Options of LLVM's are the process's: nothing else is to be compiled in it. */
static void print_passes(const char *functions)
{
	static char filter[FARJIT_MAX_MESSAGE_BYTES];
	snprintf(filter, sizeof filter, "-filter-print-funcs=%s", functions);
	const char *const options[] = {"farjit-codegen", "-print-after-all", filter};
	llvm.LLVMParseCommandLineOptions(sizeof options / sizeof options[0], options, NULL);
}

int main(int count, char **arguments)
{
	if (count == 2 && strcmp(arguments[1], "--version") == 0) {
		printf("farjit-codegen %s\n", FARJIT_CODEGEN_VERSION);
		return 0;
	}
	if (count == 2 && strcmp(arguments[1], "--confinement") == 0)
		return report_confinement();
	if (count == 2 && strcmp(arguments[1], "--system-calls") == 0) {
		farjit_print_system_calls(confinement.activity);
		return 0;
	}
	if (count < 2 || count > 3 || arguments[1][0] == '-') {
		fprintf(stderr, "usage: farjit-codegen LIBLLVM [FUNCTIONS] | --version | --confinement | --system-calls\n"
				"It is started by the FarJIT compiler.\n");
		return FARJIT_EXIT_USAGE;
	}
	pid_t parent = getppid();
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* The parent may have died before the kernel knew that we care. */
	if (getppid() != parent)
		return 0;

	static char message[FARJIT_MAX_MESSAGE_BYTES];
	if (!farjit_load_llvm(arguments[1], message, sizeof message)) {
		farjit_answer(0, FARJIT_STATUS_LIBRARY, NULL, message, strlen(message));
		return 1;
	}
	farjit_install_fatal_error_handler();
	if (count == 3)
		print_passes(arguments[2]);
	/* Most executors are on a machine like this one, and there is time for it while the parent starts. */
	farjit_initialize_back_end(FARJIT_ARCHITECTURE);
	/* libLLVM is the last file it needs. */
	struct farjit_confinement_result result;
	if (!farjit_confine(&confinement, &result)) {
		farjit_answer(0, FARJIT_STATUS_UNCONFINED, NULL, result.missing, strlen(result.missing));
		return 1;
	}
	farjit_answer(0, FARJIT_STATUS_DONE, NULL, llvm.version, strlen(llvm.version));
	struct farjit_request request;
	while (farjit_read_request(&request)) {
		farjit_compile(&request);
		free(request.storage);
	}
	/* Without LLVM's destructors, which free what the kernel frees faster. */
	_exit(0);
}
