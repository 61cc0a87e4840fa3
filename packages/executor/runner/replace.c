/*
 * Functions of the C and C++ libraries that a program may replace: who is in a library calls the program's then, as a dynamic
 * linker sees to it natively. The runner itself, and the dynamic linker, go on with libc's.
 */
#include "runner.h"

#include "abi.h"
#include "libraries/libraries.h"

#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <link.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* What they do with memory that is from before: libc's, and nothing that the program's know. */
#define FOR_EACH_THAT_MAKES(DO) \
	DO(malloc) DO(calloc) DO(memalign) DO(aligned_alloc) DO(posix_memalign) DO(valloc) DO(pvalloc) \
	DO(_Znwm) DO(_Znam) DO(_ZnwmRKSt9nothrow_t) DO(_ZnamRKSt9nothrow_t) \
	DO(_ZnwmSt11align_val_t) DO(_ZnamSt11align_val_t) \
	DO(_ZnwmSt11align_val_tRKSt9nothrow_t) DO(_ZnamSt11align_val_tRKSt9nothrow_t)
#define FOR_EACH_THAT_FREES(DO) \
	DO(free) \
	DO(_ZdlPv) DO(_ZdaPv) DO(_ZdlPvm) DO(_ZdaPvm) DO(_ZdlPvRKSt9nothrow_t) DO(_ZdaPvRKSt9nothrow_t) \
	DO(_ZdlPvSt11align_val_t) DO(_ZdaPvSt11align_val_t) DO(_ZdlPvmSt11align_val_t) DO(_ZdaPvmSt11align_val_t) \
	DO(_ZdlPvSt11align_val_tRKSt9nothrow_t) DO(_ZdaPvSt11align_val_tRKSt9nothrow_t)

struct rebinding {
	const char *name;
	uintptr_t function;
};

/* The end of the heap when the first function was replaced; 0: none has been. */
static uintptr_t earlier_end;

/* Whether a block is of before: no thread but this one's has asked for memory then, so that all of it is in libc's first heap. */
static bool is_earlier(const void *block)
{
	extern const char _end[];
	return (uintptr_t)block >= (uintptr_t)_end && (uintptr_t)block < earlier_end;
}

static const void *find_dynamic(const struct dl_phdr_info *library, ElfW(Sxword) tag)
{
	for (ElfW(Half) i = 0; i < library->dlpi_phnum; i++) {
		if (library->dlpi_phdr[i].p_type != PT_DYNAMIC)
			continue;
		const ElfW(Dyn) *entry = (const void *)(library->dlpi_addr + library->dlpi_phdr[i].p_vaddr);
		for (; entry->d_tag != DT_NULL; entry++)
			if (entry->d_tag == tag)
				return (const void *)entry->d_un.d_ptr;
	}
	return NULL;
}

/* Whether the dynamic linker has made it read-only after its work. */
static bool is_read_only(const struct dl_phdr_info *library, uintptr_t address)
{
	for (ElfW(Half) i = 0; i < library->dlpi_phnum; i++) {
		const ElfW(Phdr) *header = &library->dlpi_phdr[i];
		if (header->p_type == PT_GNU_RELRO && address - (library->dlpi_addr + header->p_vaddr) < header->p_memsz)
			return true;
	}
	return false;
}

static void write_pointer(const struct dl_phdr_info *library, uintptr_t address, uintptr_t value)
{
	uintptr_t page_bytes = (uintptr_t)getpagesize();
	void *page = (void *)(address & ~(page_bytes - 1));
	bool read_only = is_read_only(library, address);
	if (read_only && mprotect(page, page_bytes, PROT_READ | PROT_WRITE) != 0)
		farjit_fault("cannot bind %s to the program's own functions: %s", library->dlpi_name, strerror(errno));
	*(uintptr_t *)address = value;
	if (read_only)
		mprotect(page, page_bytes, PROT_READ);
}

static void rebind_table(const struct dl_phdr_info *library, const struct rebinding *wanted,
			 const ElfW(Rela) *relocations, size_t bytes)
{
	const ElfW(Sym) *symbols = find_dynamic(library, DT_SYMTAB);
	const char *strings = find_dynamic(library, DT_STRTAB);
	for (size_t i = 0; relocations && i < bytes / sizeof *relocations; i++) {
		const ElfW(Sym) *symbol = &symbols[ELF64_R_SYM(relocations[i].r_info)];
		if (farjit_abi_is_function_pointer((uint32_t)ELF64_R_TYPE(relocations[i].r_info)) &&
		    strcmp(strings + symbol->st_name, wanted->name) == 0)
			write_pointer(library, library->dlpi_addr + relocations[i].r_offset, wanted->function);
	}
}

/* For dl_iterate_phdr. */
static int rebind_library(struct dl_phdr_info *library, size_t size, void *argument)
{
	(void)size;
	/* The runner itself. */
	if (library->dlpi_name[0] == '\0')
		return 0;
	rebind_table(library, argument, find_dynamic(library, DT_RELA), (size_t)find_dynamic(library, DT_RELASZ));
	rebind_table(library, argument, find_dynamic(library, DT_JMPREL), (size_t)find_dynamic(library, DT_PLTRELSZ));
	return 0;
}

static void rebind(const char *name, uintptr_t function)
{
	if (earlier_end == 0)
		earlier_end = (uintptr_t)sbrk(0);
	dl_iterate_phdr(rebind_library, &(struct rebinding){name, function});
}

/* What libraries call on a thread of the runner's own: it cannot wait for the program's functions to be compiled. */
static bool is_runners(void)
{
	return !farjit_current_thread();
}

/* Up to three arguments; those that a function does not take stay what they are. */
typedef uint64_t function(uint64_t first, uint64_t second, uint64_t third);

#define DEFINE_MAKING(name) \
	static function *own_##name, *library_##name; \
	static uint64_t forward_##name(uint64_t first, uint64_t second, uint64_t third) \
	{ \
		return (is_runners() ? library_##name : own_##name)(first, second, third); \
	} \
	static void replace_##name(uintptr_t replacement) \
	{ \
		own_##name = (function *)replacement; \
		library_##name = (function *)dlsym(RTLD_DEFAULT, #name); \
		rebind(#name, (uintptr_t)forward_##name); \
	}
#define DEFINE_FREEING(name) \
	static function *own_##name; \
	static void forward_##name(uint64_t block, uint64_t second, uint64_t third) \
	{ \
		if (is_runners() || is_earlier((void *)block)) \
			free((void *)block); \
		else \
			own_##name(block, second, third); \
	} \
	static void replace_##name(uintptr_t replacement) \
	{ \
		own_##name = (function *)replacement; \
		rebind(#name, (uintptr_t)forward_##name); \
	}
FOR_EACH_THAT_MAKES(DEFINE_MAKING)
FOR_EACH_THAT_FREES(DEFINE_FREEING)

static void *(*own_realloc)(void *block, size_t bytes);

static void *forward_realloc(void *block, size_t bytes)
{
	if (is_runners())
		return realloc(block, bytes);
	if (!is_earlier(block))
		return own_realloc(block, bytes);
	void *moved = own_realloc(NULL, bytes);
	size_t had = malloc_usable_size(block);
	if (moved) {
		memcpy(moved, block, had < bytes ? had : bytes);
		free(block);
	}
	return moved;
}

static void replace_realloc(uintptr_t replacement)
{
	own_realloc = (void *(*)(void *, size_t))replacement;
	rebind("realloc", (uintptr_t)forward_realloc);
}

#define LIST(name) FARJIT_SYMBOL("farjit$replace$" #name, replace_##name),
const struct farjit_symbol farjit_replacing_symbols[] = {
	FOR_EACH_THAT_MAKES(LIST) FOR_EACH_THAT_FREES(LIST) LIST(realloc) {NULL, NULL},
};
