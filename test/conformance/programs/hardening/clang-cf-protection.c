// flags: -fcf-protection=full
#include <stdio.h>
static int f(int x) { return x * 3; } static int (*volatile p)(int) = f;
int main(void) { printf("%d\n", p(4)); return 0; }
