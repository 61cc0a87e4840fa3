#include <stdio.h>
__attribute__((noinline)) static long big(int n) { volatile char a[60000]; a[0] = (char)n; a[59999] = 1; return n == 0 ? a[0] : big(n - 1) + a[59999]; }
int main(void) { printf("%ld\n", big(100)); return 0; }
