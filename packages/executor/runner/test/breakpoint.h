/* What ptrace has an ABI's own words for. Of threads that are stopped and traced. */
#ifndef FARJIT_TEST_BREAKPOINT_H
#define FARJIT_TEST_BREAKPOINT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

uint64_t program_counter(pid_t thread);
/* Has it stop with SIGTRAP each time that it comes to an instruction, before it. False: that cannot be had here. */
bool stop_before(pid_t thread, uint64_t address);
/* Not any more. */
bool stop_nowhere(pid_t thread);

#endif
