/* Symbols of the runner's process that JIT'd code may link to. */
#include "runner.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

struct own_symbol {
	const char *name;
	void (*address)(void);
};

#define OWN(name, function) {name, (void (*)(void))(function)}

/* Before libc's: what Kaleidoscope expects, what the runner must see happen, and functions that the C library
 * links statically into each program, so that no shared library has them. */
static const struct own_symbol own_symbols[] = {
	OWN("putchard", farjit_putchard),
	OWN("printd", farjit_printd),
	OWN("pthread_create", farjit_pthread_create),
	OWN("thrd_create", farjit_thrd_create),
	OWN("malloc", farjit_malloc),
	OWN("calloc", farjit_calloc),
	OWN("realloc", farjit_realloc),
	OWN("reallocarray", farjit_reallocarray),
	OWN("aligned_alloc", farjit_aligned_alloc),
	OWN("posix_memalign", farjit_posix_memalign),
	OWN("mmap", farjit_mmap),
	OWN("mremap", farjit_mremap),
	OWN("atexit", atexit),
	OWN("at_quick_exit", at_quick_exit),
	OWN("pthread_atfork", pthread_atfork),
};

static uint64_t address_of(const char *name)
{
	for (size_t i = 0; i < sizeof own_symbols / sizeof own_symbols[0]; i++)
		if (strcmp(name, own_symbols[i].name) == 0)
			return (uint64_t)own_symbols[i].address;
	return (uint64_t)dlsym(RTLD_DEFAULT, name);
}

void farjit_lookup(uint32_t count)
{
	const char *name = farjit_control->names;
	const char *end = name + sizeof farjit_control->names;
	for (uint32_t i = 0; i < count && i < FARJIT_LOOKUP_NAME_COUNT; i++) {
		size_t length = strnlen(name, (size_t)(end - name));
		if (name + length == end)
			farjit_fault("name %u of a lookup is not terminated", i);
		farjit_control->addresses[i] = address_of(name);
		name += length + 1;
	}
}
