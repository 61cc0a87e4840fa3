// objects: gcc -O1 -fPIC
// refused: LINK_ERROR it runs code on its stack
#include <stdio.h>
static int apply(int (*f)(int), int x) { return f(x); }
int main(int argc, char **argv) { int add(int x) { return x + argc; } printf("%d\n", apply(add, 4)); return 0; }
