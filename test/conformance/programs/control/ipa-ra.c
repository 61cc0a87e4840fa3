// objects: gcc -O2 -fPIC -fipa-ra -ffunction-sections
#include <stdio.h>
__attribute__((noinline, noclone)) static int leaf(int x) { return x ^ 0x55; }
__attribute__((noinline)) int caller(long a, long b, long c, long d, long e, long f) { long g = a * b, h = c * d, i = e * f, j = a + f, k = b - e; int r = leaf((int)a); return (int)(r + a + b + c + d + e + f + g + h + i + j + k); }
int main(void) { printf("%d %d\n", caller(1, 2, 3, 4, 5, 6), caller(9, 8, 7, 6, 5, 4)); return 0; }
