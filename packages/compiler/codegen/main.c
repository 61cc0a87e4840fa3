/* farjit-codegen LIBLLVM: compiles what its parent sends until the parent closes the pipe. */
#include "codegen.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#if defined(__x86_64__)
#define FARJIT_ARCHITECTURE "x86_64"
#elif defined(__aarch64__)
#define FARJIT_ARCHITECTURE "aarch64"
#endif

int main(int count, char **arguments)
{
	if (count == 2 && strcmp(arguments[1], "--version") == 0) {
		printf("farjit-codegen %s\n", FARJIT_CODEGEN_VERSION);
		return 0;
	}
	if (count != 2 || arguments[1][0] == '-') {
		fprintf(stderr, "usage: farjit-codegen LIBLLVM | --version\n"
				"It is started by the FarJIT compiler.\n");
		return FARJIT_EXIT_USAGE;
	}
	pid_t parent = getppid();
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* The parent may have died before the kernel knew that we care. */
	if (getppid() != parent)
		return 0;
	/* Bitcode may be hostile: nothing that it makes of this process gains rights or leaves a core file. */
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
	/* Nor does it take all of the machine's memory: LLVM allocates what a damaged module says. */
	setrlimit(RLIMIT_DATA, &(struct rlimit){FARJIT_MAX_MEMORY_BYTES, FARJIT_MAX_MEMORY_BYTES});

	static char message[FARJIT_MAX_MESSAGE_BYTES];
	if (!farjit_load_llvm(arguments[1], message, sizeof message)) {
		farjit_answer(0, FARJIT_STATUS_LIBRARY, NULL, message, strlen(message));
		return 1;
	}
	farjit_install_fatal_error_handler();
	/* Most executors are on a machine like this one, and there is time for it while the parent starts. */
	farjit_initialize_back_end(FARJIT_ARCHITECTURE);
	farjit_answer(0, FARJIT_STATUS_DONE, NULL, llvm.version, strlen(llvm.version));
	struct farjit_request request;
	while (farjit_read_request(&request)) {
		farjit_compile(&request);
		free(request.storage);
	}
	/* Without LLVM's destructors, which free what the kernel frees faster. */
	_exit(0);
}
