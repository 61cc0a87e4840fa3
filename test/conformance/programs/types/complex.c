#include <complex.h>
#include <stdio.h>
static double complex square(double complex z) { return z * z; }
static float complex f(float complex a, int n) { return a / (n + I); }
static long double complex l(long double complex a) { return conjl(a) * 2; }
int main(void) { double complex z = square(1 + 2 * I); float complex q = f(3 + 1 * I, 2); long double complex w = l(1 - I); printf("%g %g %g %g %Lg %Lg %.6f\n", creal(z), cimag(z), crealf(q), cimagf(q), creall(w), cimagl(w), cabs(csqrt(z) * cexp(I))); return 0; }
