#include <signal.h>
#include <stdio.h>
static volatile sig_atomic_t got; static int helper(int s) { return s * 2; }
static void handler(int s, siginfo_t *info, void *context) { got = helper(s) + (info->si_signo == s) + (context != 0); }
int main(void) { struct sigaction a = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO}; sigaction(SIGUSR2, &a, 0); raise(SIGUSR2); printf("%d\n", got); signal(SIGUSR2, SIG_IGN); raise(SIGUSR2); signal(SIGTERM, SIG_DFL); printf("%d\n", got); fflush(stdout); raise(SIGTERM); return 0; }
