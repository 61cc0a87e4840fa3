// flags: -fexceptions -fno-optimize-sibling-calls
#include <execinfo.h>
#include <stdio.h>
static int total; static void *all[64];
__attribute__((noinline)) static int c(int n) { total = backtrace(all, 64); return n + total; }
__attribute__((noinline)) static int b(int n) { return c(n) - n; }
__attribute__((noinline)) static int deeper(int n) { return n ? deeper(n - 1) + 1 : b(1); }
int main(void) { int base = deeper(0); printf("%d", deeper(10) - 10 - base); printf(" %d\n", all[0] != all[1]); return 0; }
