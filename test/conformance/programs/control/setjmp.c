#include <setjmp.h>
#include <stdio.h>
static jmp_buf env; static volatile int rounds;
__attribute__((noinline)) static void deep(int n) { if (n == 0) longjmp(env, ++rounds); deep(n - 1); puts("never"); }
static void unused_after(void) { puts("first call after a jump"); }
int main(void) { volatile int kept = 5; int r = setjmp(env); printf("%d %d\n", r, kept); kept++; if (r < 3) deep(r + 2); unused_after(); return 0; }
