#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
static sigjmp_buf env; static char *low, *high;
static void handler(int s) { char here; siglongjmp(env, &here >= low && &here < high ? 2 : 3); }
__attribute__((noinline)) static int forever(volatile int n) { volatile char frame[4096]; frame[0] = (char)n; return forever(n + 1) + frame[0]; }
int main(void) { stack_t st = {.ss_sp = malloc(65536), .ss_size = 65536}; low = st.ss_sp; high = low + 65536; sigaltstack(&st, 0); struct sigaction a = {.sa_handler = handler, .sa_flags = SA_ONSTACK}; sigaction(SIGSEGV, &a, 0); int r = sigsetjmp(env, 1); if (r == 0) return forever(0); printf("%d\n", r); return 0; }
