#include <stdio.h>
static void end(int *p) { printf("end %d\n", *p); }
static int f(int n) { __attribute__((cleanup(end))) int x = n; if (n > 2) return n * 10; return f(n + 1) + x; }
int main(void) { printf("%d\n", f(0)); return 0; }
