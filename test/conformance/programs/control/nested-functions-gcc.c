// objects: gcc -O1 -fPIC
// differs: a nested function whose address is taken is code on the stack, and a confined program has no memory that is both written and run
#include <stdio.h>
static int apply(int (*f)(int), int x) { return f(x); }
int main(int argc, char **argv) { int add(int x) { return x + argc; } printf("%d\n", apply(add, 4)); return 0; }
