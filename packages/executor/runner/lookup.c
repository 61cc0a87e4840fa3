/* Symbols of the runner's process that JIT'd code may link to. */
#include "runner.h"

#include "libraries/libraries.h"

#include <dlfcn.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>

/* For JIT'd code, which is no library, what comes next (RTLD_NEXT) is what comes behind the runner. It is the caller: no jump. */
static void *find_symbol(void *handle, const char *name)
{
	void *found = dlsym(handle, name);
	__asm__ volatile("" : "+r"(found));
	return found;
}

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
	FARJIT_SYMBOL("memalign", farjit_memalign),
	FARJIT_SYMBOL("valloc", farjit_valloc),
	FARJIT_SYMBOL("pvalloc", farjit_pvalloc),
	FARJIT_SYMBOL("posix_memalign", farjit_posix_memalign),
	FARJIT_SYMBOL("mmap", farjit_mmap),
	FARJIT_SYMBOL("mmap64", farjit_mmap),
	FARJIT_SYMBOL("mremap", farjit_mremap),
	FARJIT_SYMBOL("open", farjit_open),
	FARJIT_SYMBOL("open64", farjit_open),
	FARJIT_SYMBOL("openat", farjit_openat),
	FARJIT_SYMBOL("openat64", farjit_openat),
	FARJIT_SYMBOL("dup", farjit_dup),
	FARJIT_SYMBOL("fopen", farjit_fopen),
	FARJIT_SYMBOL("fopen64", farjit_fopen),
	FARJIT_SYMBOL("tmpfile", farjit_tmpfile),
	FARJIT_SYMBOL("tmpfile64", farjit_tmpfile),
	FARJIT_SYMBOL("opendir", farjit_opendir),
	FARJIT_SYMBOL("dlsym", find_symbol),
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

/* Where a variable is in any thread: what __tls_get_addr is asked with. */
struct thread_local {
	uintptr_t address; /* in the calling thread */
	uint64_t module; /* 0: it is none */
	uint64_t offset;
};

/* For dl_iterate_phdr: whether the address is in the calling thread's copy of this library's thread-local variables. */
static int find_in_library(struct dl_phdr_info *library, size_t size, void *argument)
{
	(void)size;
	struct thread_local *variable = argument;
	uint64_t offset = variable->address - (uintptr_t)library->dlpi_tls_data;
	if (!library->dlpi_tls_data)
		return 0;
	for (ElfW(Half) i = 0; i < library->dlpi_phnum; i++) {
		if (library->dlpi_phdr[i].p_type != PT_TLS || offset >= library->dlpi_phdr[i].p_memsz)
			continue;
		variable->module = library->dlpi_tls_modid;
		variable->offset = offset;
		return 1;
	}
	return 0;
}

static struct thread_local find_thread_local(void *address)
{
	struct thread_local variable = {.address = (uintptr_t)address};
	if (address)
		dl_iterate_phdr(find_in_library, &variable);
	return variable;
}

/* Of a thread-local variable libc would say where this thread has its own, which is nobody else's: it has no one address. */
static uint64_t shared_address(const char *name)
{
	void *address = dlsym(RTLD_DEFAULT, name);
	return find_thread_local(address).module == 0 ? (uint64_t)address : 0;
}

static uint64_t address_of(const char *name, uint32_t wanted)
{
	uint64_t address = search(own_symbols, name);
	if (address == 0 && strncmp(name, "farjit$", strlen("farjit$")) == 0)
		address = search(farjit_replacing_symbols, name);
	for (size_t i = 0; i < LIBRARIES && address == 0; i++)
		if (wanted & libraries[i].library)
			address = search(libraries[i].symbols, name);
	return address ? address : shared_address(name);
}

/* Calls `found` with each of `count` names of control.names. */
static void for_each_name(uint32_t count, void (*found)(uint32_t index, const char *name, uint32_t wanted), uint32_t wanted)
{
	const char *name = farjit_control->names;
	const char *end = name + sizeof farjit_control->names;
	for (uint32_t i = 0; i < count; i++) {
		size_t length = strnlen(name, (size_t)(end - name));
		if (name + length == end)
			farjit_fault("name %u of a lookup is not terminated", i);
		found(i, name, wanted);
		name += length + 1;
	}
}

static uint32_t at_most(uint32_t count, uint32_t limit)
{
	return count < limit ? count : limit;
}

static void look_up(uint32_t index, const char *name, uint32_t wanted)
{
	farjit_control->addresses[index] = address_of(name, wanted);
}

void farjit_lookup(uint32_t count, uint32_t wanted)
{
	check_libraries(wanted);
	for_each_name(at_most(count, FARJIT_LOOKUP_NAME_COUNT), look_up, wanted);
}

static void look_up_thread_local(uint32_t index, const char *name, uint32_t wanted)
{
	(void)wanted;
	struct thread_local variable = find_thread_local(dlsym(RTLD_DEFAULT, name));
	farjit_control->addresses[2 * index] = variable.module;
	farjit_control->addresses[2 * index + 1] = variable.offset;
}

void farjit_lookup_thread_locals(uint32_t count)
{
	for_each_name(at_most(count, FARJIT_LOOKUP_NAME_COUNT / 2), look_up_thread_local, 0);
}
