/* Libraries that JIT'd code may call: loaded while files can still be opened. */
#include "runner.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* A library can ask for stacks with rights to execute, and its constructor for any memory. */
static void check_rights(const char *library)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	if (!maps)
		farjit_fault("cannot read what %s has mapped: %s", library, strerror(errno));
	char *line = NULL, rights[5];
	size_t size = 0;
	while (getline(&line, &size, maps) >= 0)
		if (sscanf(line, "%*s %4s", rights) == 1 && rights[1] == 'w' && rights[2] == 'x')
			farjit_fault("%s makes memory writable and executable at once; if that is the stack, link it with "
				     "-z noexecstack",
				     library);
	free(line);
	fclose(maps);
}

/* To open a FIFO is to wait for whoever writes to it. */
static void check_kind(const char *name)
{
	struct stat status;
	if (strchr(name, '/') && stat(name, &status) == 0 && !S_ISREG(status.st_mode))
		farjit_fault("cannot preload %s: it is no regular file", name);
}

void farjit_preload(uint32_t count)
{
	const char *name = farjit_control->names;
	const char *end = name + sizeof farjit_control->names;
	for (uint32_t i = 0; i < count; i++) {
		size_t length = strnlen(name, (size_t)(end - name));
		if (name + length >= end)
			farjit_fault("library %u to preload is not terminated", i);
		check_kind(name);
		/* Global, so that a lookup finds its symbols; now, because nothing can be resolved from files later. */
		if (!dlopen(name, RTLD_NOW | RTLD_GLOBAL))
			farjit_fault("cannot preload %s", dlerror());
		check_rights(name);
		name += length + 1;
	}
}
