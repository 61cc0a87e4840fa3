#include <fenv.h>
#include <math.h>
#include <stdio.h>
int main(void) { volatile double zero = 0, one = 1, big = 1e308; float f = 16777217; printf("%g %g %d %d %.9g %g\n", one / zero, -one / zero, isnan(zero / zero), signbit(-zero), f, big * 10); feclearexcept(FE_ALL_EXCEPT); volatile double x = one / zero; printf("%d\n", fetestexcept(FE_DIVBYZERO) != 0); fesetround(FE_UPWARD); volatile double t = one / 3; fesetround(FE_TONEAREST); printf("%d %.17g %a\n", t > one / 3, nextafter(1, 2), ldexp(0.75, -1070)); printf("%d %ld %g %g\n", (int)-2.9, lround(2.5), trunc(-1.5), fma(2, 3, 4)); (void)x; return 0; }
