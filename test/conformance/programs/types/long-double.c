#include <float.h>
#include <math.h>
#include <stdio.h>
static long double harmonic(int n) { long double s = 0; for (int i = 1; i <= n; i++) s += 1.0L / i; return s; }
static int mixed(int a, long double b, float c, long double d, char e) { return (int)(a + b * c - d + e); }
int main(void) { printf("%.18Lg %La %d %.18Lg\n", harmonic(100), 1.0L / 3, mixed(1, 2.5L, 4, 0.5L, 'A'), sqrtl(2) * powl(10, 4000)); printf("%d %d %Lg %ld\n", (int)sizeof(long double), LDBL_DIG, fmodl(7.5L, 2), lrintl(-2.5L)); return 0; }
