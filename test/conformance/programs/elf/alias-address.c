// differs: each name of a function has a stub of its own, so two names of one function have two addresses
#include <stdio.h>
int real(int x) { return x; }
int other(int) __attribute__((alias("real")));
int main(void) { int (*volatile p)(int) = real; printf("%d\n", p == other); return 0; }
