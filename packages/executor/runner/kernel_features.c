/* What the kernel has to confine a runner with, for `farjit doctor`. */
#include "runner.h"

#include <errno.h>
#include <grp.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* An ordinary user, as a root host's runner becomes one. */
enum { ORDINARY_USER = 65534 };

static const char *enter_user_namespace(void)
{
	if (geteuid() == 0 && (setgroups(0, NULL) != 0 || setresgid(ORDINARY_USER, ORDINARY_USER, ORDINARY_USER) != 0 ||
			       setresuid(ORDINARY_USER, ORDINARY_USER, ORDINARY_USER) != 0))
		return strerror(errno);
	/* A network namespace takes the rights in the user namespace that some kernels keep back. */
	return unshare(CLONE_NEWUSER) == 0 && unshare(CLONE_NEWNET) == 0 ? NULL : strerror(errno);
}

void farjit_print_kernel_features(void)
{
	long landlock = farjit_landlock_abi();
	const char *without_landlock = landlock < 1 ? strerror(errno) : NULL;
	printf("{\"landlock\":%ld,\"withoutLandlock\":\"%s\",", landlock < 1 ? 0 : landlock,
	       without_landlock ? without_landlock : "");
	const char *without_namespaces = enter_user_namespace();
	printf("\"userNamespaces\":%s,\"withoutUserNamespaces\":\"%s\"}\n", without_namespaces ? "false" : "true",
	       without_namespaces ? without_namespaces : "");
}
