#include <stdio.h>
static unsigned step(unsigned x) { return x * 1664525u + 1013904223u; } static int collatz(long n) { int c = 0; while (n != 1) { n = n & 1 ? 3 * n + 1 : n / 2; c++; } return c; }
int main(void) { unsigned x = 1; for (int i = 0; i < 3000000; i++) x = step(x); int best = 0; for (long i = 1; i < 30000; i++) { int c = collatz(i); if (c > best) best = c; } printf("%u %d\n", x, best); return 0; }
