// objects: gcc -O2 -fPIC -fcf-protection=full -ffunction-sections
#include <setjmp.h>
#include <stdio.h>
static jmp_buf e; static int f(int x) { return x + 1; } static int (*volatile p)(int) = f;
int main(void) { volatile int n = 0; if (setjmp(e) == 0) { n = p(1); longjmp(e, 1); } static void *const l[] = {&&a, &&b}; goto *l[n & 1]; a: printf("a %d\n", n); return 0; b: puts("b"); return 1; }
