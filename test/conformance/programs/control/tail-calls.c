// objects: gcc -O2 -fPIC -ffunction-sections
#include <stdio.h>
__attribute__((noinline)) static int even(int n); __attribute__((noinline)) static int odd(int n) { return n == 0 ? 0 : even(n - 1); } static int even(int n) { return n == 0 ? 1 : odd(n - 1); }
int main(void) { printf("%d %d\n", even(1000000), odd(1000000)); return 0; }
