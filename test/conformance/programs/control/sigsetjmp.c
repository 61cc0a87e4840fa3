#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
static sigjmp_buf env;
static void handler(int s) { siglongjmp(env, s); }
int main(void) { signal(SIGUSR1, handler); signal(SIGFPE, handler); int r = sigsetjmp(env, 1); printf("%d\n", r); if (r == 0) raise(SIGUSR1); if (r == SIGUSR1) raise(SIGFPE); sigset_t s; sigprocmask(0, 0, &s); printf("%d %d\n", sigismember(&s, SIGUSR1), sigismember(&s, SIGFPE)); return 0; }
