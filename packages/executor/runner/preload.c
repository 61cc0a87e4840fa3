/* Libraries that JIT'd code may call: loaded while files can still be opened. */
#include "runner.h"

#include <dlfcn.h>
#include <string.h>

void farjit_preload(uint32_t count)
{
	const char *name = farjit_control->names;
	const char *end = name + sizeof farjit_control->names;
	for (uint32_t i = 0; i < count; i++) {
		size_t length = strnlen(name, (size_t)(end - name));
		if (name + length >= end)
			farjit_fault("library %u to preload is not terminated", i);
		/* Global, so that a lookup finds its symbols; now, because nothing can be resolved from files later. */
		if (!dlopen(name, RTLD_NOW | RTLD_GLOBAL))
			farjit_fault("cannot preload %s", dlerror());
		name += length + 1;
	}
}
