#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
static sigjmp_buf env; static void *where;
static void handler(int s, siginfo_t *i, void *c) { where = i->si_addr; siglongjmp(env, s); }
int main(void) { struct sigaction a = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO}; sigaction(SIGSEGV, &a, 0); int *volatile p = (int *)16; if (sigsetjmp(env, 1) == 0) *p = 1; printf("%ld\n", (long)where); if (sigsetjmp(env, 1) == 0) p[100] = 1; printf("%ld\n", (long)where); return 0; }
