// flags: -std=gnu89
#include <stdio.h>
int add(); static int old(a, b, c) int a; char b; double c; { return a + b + (int)c; }
int main() { printf("%d %d\n", add(1, 2, 3), old(1, 2, 3.5)); return 0; }
int add(a, b, c) int a, b, c; { return a + b + c; }
