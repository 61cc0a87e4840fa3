/* Loading libLLVM and binding its C API. */
#include "llvm.h"

#include <dlfcn.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

struct farjit_llvm llvm;
static void *library;

/* ISO C has no cast from an object's pointer to a function's; POSIX gives this one. */
static bool bind(void **target, const char *name)
{
	*target = dlsym(library, name);
	return *target != NULL;
}

static void find_version(void)
{
	void (*get_version)(unsigned *, unsigned *, unsigned *);
	void *unused;
	if (bind((void **)&get_version, "LLVMGetVersion")) {
		unsigned minor, patch;
		get_version(&llvm.major_version, &minor, &patch);
		snprintf(llvm.version, sizeof llvm.version, "%u.%u.%u", llvm.major_version, minor, patch);
		return;
	}
	/* Before 16 the library does not tell; only 15 had the switch for opaque pointers. */
	llvm.major_version = bind(&unused, "LLVMContextSetOpaquePointers") ? 15 : 14;
	snprintf(llvm.version, sizeof llvm.version, "%u", llvm.major_version);
}

bool farjit_load_llvm(const char *path, char *message, size_t message_bytes)
{
	library = dlopen(path, RTLD_LAZY | RTLD_LOCAL);
	if (!library) {
		snprintf(message, message_bytes, "Cannot load libLLVM from %s: %s", path, dlerror());
		return false;
	}
#define BIND(result, name, parameters)                                                                                 \
	if (!bind((void **)&llvm.name, #name)) {                                                                       \
		snprintf(message, message_bytes, "%s is not a libLLVM of version 14 or later: it has no %s", path,     \
			 #name);                                                                                       \
		return false;                                                                                          \
	}
	FARJIT_LLVM_FUNCTIONS(BIND)
#undef BIND
	find_version();
	return true;
}

bool farjit_initialize_back_end(const char *triple)
{
	static const struct {
		const char *architecture;
		const char *back_end;
	} back_ends[] = {{"x86_64", "X86"}, {"aarch64", "AArch64"}};
	static const char *const parts[] = {"TargetInfo", "Target", "TargetMC", "AsmParser", "AsmPrinter"};
	size_t length = strcspn(triple, "-");
	for (size_t i = 0; i < sizeof back_ends / sizeof back_ends[0]; i++) {
		if (strlen(back_ends[i].architecture) != length ||
		    strncmp(back_ends[i].architecture, triple, length) != 0)
			continue;
		for (size_t part = 0; part < sizeof parts / sizeof parts[0]; part++) {
			char name[64];
			void (*initialize)(void);
			snprintf(name, sizeof name, "LLVMInitialize%s%s", back_ends[i].back_end, parts[part]);
			if (!bind((void **)&initialize, name))
				return false;
			initialize();
		}
		return true;
	}
	return false;
}
