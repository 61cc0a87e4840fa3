/*
 * without CALL[/FIRST]:ERRNO[,CALL[/FIRST]:ERRNO…] -- PROGRAM: runs a program for which system calls fail, as on a kernel
 * that has not got what they do: those of a name or number, or only those with this first argument. A filter on top of it
 * stays; nothing can take this one away.
 */
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int add(scmp_filter_ctx filter, char *rule)
{
	char *colon = strchr(rule, ':');
	if (!colon)
		return -1;
	*colon = 0;
	char *slash = strchr(rule, '/');
	if (slash)
		*slash = 0;
	int call = *rule >= '0' && *rule <= '9' ? atoi(rule) : seccomp_syscall_resolve_name(rule);
	if (call == __NR_SCMP_ERROR)
		return -1;
	const struct scmp_arg_cmp first = SCMP_A0(SCMP_CMP_EQ, slash ? strtoull(slash + 1, NULL, 10) : 0);
	return seccomp_rule_add_array(filter, SCMP_ACT_ERRNO(atoi(colon + 1)), call, slash ? 1 : 0, &first);
}

int main(int count, char **arguments)
{
	if (count < 4 || strcmp(arguments[2], "--") != 0) {
		fprintf(stderr, "usage: without CALL[/FIRST]:ERRNO[,CALL[/FIRST]:ERRNO…] -- PROGRAM [ARGUMENT…]\n");
		return 64;
	}
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
	for (char *rule = strtok(arguments[1], ","); rule; rule = strtok(NULL, ","))
		if (!filter || add(filter, rule) != 0) {
			fprintf(stderr, "without: cannot forbid %s\n", rule);
			return 70;
		}
	if (seccomp_load(filter) != 0) {
		fprintf(stderr, "without: cannot load a filter\n");
		return 70;
	}
	execv(arguments[3], arguments + 3);
	perror(arguments[3]);
	return 127;
}
