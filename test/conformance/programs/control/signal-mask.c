#include <pthread.h>
#include <signal.h>
#include <stdio.h>
static volatile int got; static void handler(int s) { got += s; }
int main(void) { sigset_t set, pending; signal(SIGUSR1, handler); sigemptyset(&set); sigaddset(&set, SIGUSR1); pthread_sigmask(SIG_BLOCK, &set, 0); raise(SIGUSR1); sigpending(&pending); printf("%d %d\n", got, sigismember(&pending, SIGUSR1)); pthread_sigmask(SIG_UNBLOCK, &set, 0); printf("%d\n", got); int sig; pthread_sigmask(SIG_BLOCK, &set, 0); raise(SIGUSR1); printf("%d %d\n", sigwait(&set, &sig), sig); return 0; }
