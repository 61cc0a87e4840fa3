/* runner-test-driver [--unconfined] RUNNER CASE: runs one case against a runner, exit status 0 when it holds. --list:
 * names. */
#include "host.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { TOTAL_PATIENCE_S = 60 };

int main(int count, char **arguments)
{
	static const struct test_case *const files[] = {call_cases, reentry_cases, leaving_cases, trap_cases, sandbox_cases, filter_cases,
						       feature_cases, bound_cases, limit_cases, program_cases, thread_cases, cancel_cases,
						       frame_cases, unwinding_cases, replacing_cases};
	runner_is_confined = !(count > 1 && strcmp(arguments[1], "--unconfined") == 0);
	if (!runner_is_confined)
		count--, arguments++;
	bool list = count == 2 && strcmp(arguments[1], "--list") == 0;
	if (!list && count != 3) {
		fprintf(stderr, "usage: runner-test-driver --list | [--unconfined] RUNNER CASE\n");
		return 64;
	}
	if (!list)
		runner_path = arguments[1];
	alarm(TOTAL_PATIENCE_S);
	for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
		for (const struct test_case *test = files[i]; test->name; test++) {
			if (list) {
				puts(test->name);
			} else if (strcmp(arguments[2], test->name) == 0) {
				test->run();
				return 0;
			}
		}
	}
	if (list)
		return 0;
	fprintf(stderr, "no case %s\n", arguments[2]);
	return 64;
}
