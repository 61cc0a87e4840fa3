/* Functions of the C and C++ libraries that a program may replace. */
#ifndef FARJIT_TEST_HEAP_FUNCTIONS_H
#define FARJIT_TEST_HEAP_FUNCTIONS_H

#define FOR_EACH_HEAP_FUNCTION(DO) \
	DO(malloc) DO(calloc) DO(realloc) DO(memalign) DO(aligned_alloc) DO(posix_memalign) DO(valloc) DO(pvalloc) DO(free) \
	DO(_Znwm) DO(_Znam) DO(_ZnwmRKSt9nothrow_t) DO(_ZnamRKSt9nothrow_t) \
	DO(_ZnwmSt11align_val_t) DO(_ZnamSt11align_val_t) \
	DO(_ZnwmSt11align_val_tRKSt9nothrow_t) DO(_ZnamSt11align_val_tRKSt9nothrow_t) \
	DO(_ZdlPv) DO(_ZdaPv) DO(_ZdlPvm) DO(_ZdaPvm) DO(_ZdlPvRKSt9nothrow_t) DO(_ZdaPvRKSt9nothrow_t) \
	DO(_ZdlPvSt11align_val_t) DO(_ZdaPvSt11align_val_t) DO(_ZdlPvmSt11align_val_t) DO(_ZdaPvmSt11align_val_t) \
	DO(_ZdlPvSt11align_val_tRKSt9nothrow_t) DO(_ZdaPvSt11align_val_tRKSt9nothrow_t)

#endif
