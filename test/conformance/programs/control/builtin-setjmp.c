#include <stdio.h>
static void *buf[5]; static int n;
__attribute__((noinline)) static void back(void) { __builtin_longjmp(buf, 1); }
int main(void) { if (__builtin_setjmp(buf)) { printf("back %d\n", n); return 0; } n = 7; back(); return 1; }
