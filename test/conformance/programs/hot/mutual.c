#include <stdio.h>
static int a(int); static int b(int n) { return n < 2 ? n : a(n - 1) + a(n - 2); } static int a(int n) { return n < 2 ? n : b(n - 1) + b(n - 2); } static int (*volatile f)(int) = b;
int main(void) { printf("%d %d %d\n", a(24), f(20), f == b); return 0; }
