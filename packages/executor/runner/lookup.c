/* Symbols of the runner's process that JIT'd code may link to. */
#include "runner.h"

#include "libraries/libraries.h"

#include <dlfcn.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>

/* Before libc's: what the runner must see happen, and functions that the C library links statically into each program, so
 * that no shared library has them. */
static const struct farjit_symbol own_symbols[] = {
	FARJIT_SYMBOL("pthread_create", farjit_pthread_create),
	FARJIT_SYMBOL("thrd_create", farjit_thrd_create),
	FARJIT_SYMBOL("malloc", farjit_malloc),
	FARJIT_SYMBOL("calloc", farjit_calloc),
	FARJIT_SYMBOL("realloc", farjit_realloc),
	FARJIT_SYMBOL("reallocarray", farjit_reallocarray),
	FARJIT_SYMBOL("aligned_alloc", farjit_aligned_alloc),
	FARJIT_SYMBOL("posix_memalign", farjit_posix_memalign),
	FARJIT_SYMBOL("mmap", farjit_mmap),
	FARJIT_SYMBOL("mremap", farjit_mremap),
	FARJIT_SYMBOL("atexit", atexit),
	FARJIT_SYMBOL("at_quick_exit", at_quick_exit),
	FARJIT_SYMBOL("pthread_atfork", pthread_atfork),
	{NULL, NULL},
};

static const struct {
	enum farjit_library library;
	const struct farjit_symbol *symbols;
} libraries[] = {
	{FARJIT_LIBRARY_KALEIDOSCOPE, farjit_kaleidoscope_symbols},
};
enum { LIBRARIES = sizeof libraries / sizeof libraries[0] };

static void check_libraries(uint32_t wanted)
{
	uint32_t known = 0;
	for (size_t i = 0; i < LIBRARIES; i++)
		known |= libraries[i].library;
	if ((wanted & ~known) != 0)
		farjit_fault("this runner has no libraries %#x", wanted & ~known);
}

/* 0: it is not there. */
static uint64_t search(const struct farjit_symbol *symbols, const char *name)
{
	for (; symbols->name; symbols++)
		if (strcmp(name, symbols->name) == 0)
			return (uint64_t)symbols->address;
	return 0;
}

/* Whether an address is in the calling thread's copy of a library's thread-local variables. */
static int is_in_thread(struct dl_phdr_info *library, size_t size, void *address)
{
	(void)size;
	if (!library->dlpi_tls_data)
		return 0;
	for (ElfW(Half) i = 0; i < library->dlpi_phnum; i++)
		if (library->dlpi_phdr[i].p_type == PT_TLS)
			return (uintptr_t)address - (uintptr_t)library->dlpi_tls_data < library->dlpi_phdr[i].p_memsz;
	return 0;
}

/* Of a thread-local variable libc would say where this thread has its own, which is nobody else's: it has no one address. */
static uint64_t shared_address(const char *name)
{
	void *address = dlsym(RTLD_DEFAULT, name);
	return address && !dl_iterate_phdr(is_in_thread, address) ? (uint64_t)address : 0;
}

static uint64_t address_of(const char *name, uint32_t wanted)
{
	uint64_t address = search(own_symbols, name);
	for (size_t i = 0; i < LIBRARIES && address == 0; i++)
		if (wanted & libraries[i].library)
			address = search(libraries[i].symbols, name);
	return address ? address : shared_address(name);
}

void farjit_lookup(uint32_t count, uint32_t wanted)
{
	check_libraries(wanted);
	const char *name = farjit_control->names;
	const char *end = name + sizeof farjit_control->names;
	for (uint32_t i = 0; i < count && i < FARJIT_LOOKUP_NAME_COUNT; i++) {
		size_t length = strnlen(name, (size_t)(end - name));
		if (name + length == end)
			farjit_fault("name %u of a lookup is not terminated", i);
		farjit_control->addresses[i] = address_of(name, wanted);
		name += length + 1;
	}
}
