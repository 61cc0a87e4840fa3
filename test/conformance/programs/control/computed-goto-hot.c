#include <stdio.h>
static long run(long n) { static void *const ops[] = {&&a, &&b, &&c}; long acc = 0, i = 0; loop: if (i == n) return acc; goto *ops[i++ % 3]; a: acc += 1; goto loop; b: acc += 2; goto loop; c: acc ^= 5; goto loop; }
int main(void) { long s = 0; for (int k = 0; k < 200; k++) s += run(3000 + k); printf("%ld\n", s); return 0; }
