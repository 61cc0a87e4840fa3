#include <stdio.h>
static int forever(volatile int n) { volatile char frame[1000]; frame[0] = 1; return forever(n + 1) + frame[0]; }
int main(void) { fputs("before\n", stderr); return forever(0); }
