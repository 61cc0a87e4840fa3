/* How runners are confined on this machine, for `farjit doctor`: one confines itself, and another process says how. */
#include "runner.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

/* An ordinary user, as a root host's runner becomes one. */
enum { ORDINARY_USER = 65534 };

/* Features by their bits, from the lowest on. */
static const char *const features[] = {
	"no_new_privs",      "seccomp",		  "own user",	     "undumpable",    "landlock",	"user namespace",
	"network namespace", "mount namespace", "ipc namespace", "limits", "sealed memory",
};

struct report {
	struct farjit_control control;
	uint32_t confinement;
};

static void confine(struct report *report)
{
	farjit_control = &report->control;
	farjit_yield_to_host();
	report->control.confine = (struct farjit_confine){
		.sandbox = FARJIT_SANDBOX_DEFAULT,
		.user_id = geteuid() == 0 ? ORDINARY_USER : 0,
		.address_space_bytes = UINT64_MAX,
		.data_bytes = UINT64_MAX,
		.cpu_seconds = UINT64_MAX,
		.threads = UINT32_MAX,
		.descriptors = FARJIT_FD_DOORBELL + 1,
	};
	report->confinement = farjit_confine();
	_exit(0);
}

int farjit_print_confinement(void)
{
	struct report *report =
		mmap(NULL, sizeof *report, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t child = report == MAP_FAILED ? -1 : fork();
	int status;
	if (child == 0)
		confine(report);
	if (child < 0 || waitpid(child, &status, 0) != child) {
		perror("farjit-runner");
		return FARJIT_EXIT_FAULT;
	}
	if (status != 0) {
		fprintf(stderr, "farjit-runner: %s\n",
			report->control.end.message[0] ? report->control.end.message : strsignal(WTERMSIG(status)));
		return FARJIT_EXIT_FAULT;
	}
	printf("{\"landlock\":%u,\"missing\":\"%s\",\"features\":[", report->control.confine.landlock_abi,
	       report->control.confine.missing);
	const char *separator = "";
	for (size_t i = 0; i < sizeof features / sizeof features[0]; i++)
		if (report->confinement >> i & 1) {
			printf("%s\"%s\"", separator, features[i]);
			separator = ",";
		}
	puts("]}");
	return 0;
}
