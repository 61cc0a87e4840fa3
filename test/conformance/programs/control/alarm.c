// differs: timers are refused to a confined program
#include <signal.h>
#include <stdio.h>
#include <unistd.h>
static volatile int rang; static void ring(int s) { rang = 1; }
int main(void) { signal(SIGALRM, ring); alarm(1); for (int i = 0; i < 150 && !rang; i++) usleep(10000); puts(rang ? "rang" : "silent"); return 0; }
