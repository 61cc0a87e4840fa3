#include <stdio.h>
static int a(int n); static int b(int n) { volatile int x = n; return x == 0 ? 0 : a(x - 1) + 1; } static int a(int n) { volatile int x = n; return x == 0 ? 0 : b(x - 1) + 1; }
int main(void) { printf("%d\n", a(50000)); return 0; }
