// flags: -fsanitize=signed-integer-overflow,bounds -fsanitize-trap=all
#include <limits.h>
#include <stdio.h>
int main(int argc, char **argv) { int v[3] = {1, 2, 3}; printf("%d\n", v[argc] + argc); fflush(stdout); return INT_MAX + argc; }
