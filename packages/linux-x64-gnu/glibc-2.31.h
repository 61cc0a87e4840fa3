// Comes before all else in the sources of the native programs that are packed: has them use those versions of glibc's functions
// that Debian 11 has, where newer ones would be taken on the machine that builds. scripts/lib/packages/portable-programs.mjs gives it to
// the compiler.

#if !defined(FARJIT_GLIBC_2_31_H) && !defined(__ASSEMBLER__)
#define FARJIT_GLIBC_2_31_H

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>

#define OLDER(function, version) __asm__(".symver " #function ", " #function "@GLIBC_" #version)

// Until 2.34 these were libdl's and libpthread's. Newer libcs have them under both versions.
OLDER(dladdr, 2.2.5);
OLDER(dlerror, 2.2.5);
OLDER(dlopen, 2.2.5);
OLDER(dlsym, 2.2.5);
OLDER(pthread_attr_getaffinity_np, 2.3.4);
OLDER(pthread_attr_getguardsize, 2.2.5);
OLDER(pthread_attr_getstack, 2.2.5);
OLDER(pthread_attr_getstacksize, 2.2.5);
OLDER(pthread_attr_setaffinity_np, 2.3.4);
OLDER(pthread_attr_setguardsize, 2.2.5);
OLDER(pthread_attr_setstack, 2.2.5);
OLDER(pthread_attr_setstacksize, 2.2.5);
OLDER(pthread_getattr_np, 2.2.5);
OLDER(pthread_key_create, 2.2.5);
OLDER(pthread_setattr_default_np, 2.18);
OLDER(pthread_setspecific, 2.2.5);
OLDER(pthread_sigmask, 2.2.5);

// Until 2.33 they were called with the version of `struct stat`, which is 1.
int __xstat(int version, const char *path, struct stat *status);
int __fxstat(int version, int descriptor, struct stat *status);
#define stat(path, status) __xstat(1, path, status)
#define fstat(descriptor, status) __fxstat(1, descriptor, status)

// These came with 2.32. Where they are missing, no program can ask for a signal mask, and threads have their maker's.
static inline int farjit_attr_getsigmask(const pthread_attr_t *attributes, sigset_t *signals) {
  int (*const found)(const pthread_attr_t *, sigset_t *) = dlsym(RTLD_DEFAULT, "pthread_attr_getsigmask_np");
  return found ? found(attributes, signals) : ENOSYS;
}
static inline int farjit_attr_setsigmask(pthread_attr_t *attributes, const sigset_t *signals) {
  int (*const found)(pthread_attr_t *, const sigset_t *) = dlsym(RTLD_DEFAULT, "pthread_attr_setsigmask_np");
  return found ? found(attributes, signals) : 0;
}
static inline const char *farjit_error_name(int error) {
  const char *(*const found)(int) = dlsym(RTLD_DEFAULT, "strerrorname_np");
  return found ? found(error) : strerror(error);
}
#define pthread_attr_getsigmask_np farjit_attr_getsigmask
#define pthread_attr_setsigmask_np farjit_attr_setsigmask
#define strerrorname_np farjit_error_name

// Since 2.34 a program's start gives no constructors to `__libc_start_main`, which finds them itself. Older ones are given them,
// newer ones call what they are given, under the older version. The linker is told `--wrap=__libc_start_main`.
typedef int farjit_main(int count, char **args, char **environment);
int farjit_older_start(farjit_main *main, int count, char **args, farjit_main *init, void (*fini)(void),
                       void (*rtld_fini)(void), void *stack_end);
__asm__(".symver farjit_older_start, __libc_start_main@GLIBC_2.2.5");
extern farjit_main *__init_array_start[] __attribute__((visibility("hidden")));
extern farjit_main *__init_array_end[] __attribute__((visibility("hidden")));

__attribute__((weak, visibility("hidden"))) int farjit_construct(int count, char **args, char **environment) {
  for (farjit_main **constructor = __init_array_start; constructor < __init_array_end; constructor++)
    (*constructor)(count, args, environment);
  return 0;
}

__attribute__((weak, visibility("hidden"))) int __wrap___libc_start_main(farjit_main *main, int count, char **args,
                                                                        farjit_main *init, void (*fini)(void),
                                                                        void (*rtld_fini)(void), void *stack_end) {
  return farjit_older_start(main, count, args, init ? init : farjit_construct, fini, rtld_fini, stack_end);
}

#endif
