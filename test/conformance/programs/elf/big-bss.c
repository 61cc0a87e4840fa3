#include <stdio.h>
static char big[48 << 20]; static int after = 7;
int main(void) { long sum = 0; for (long i = 0; i < (long)sizeof big; i += 4096) sum += big[i]; big[sizeof big - 1] = 3; printf("%ld %d %d\n", sum, big[sizeof big - 1], after); return 0; }
