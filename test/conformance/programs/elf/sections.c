#include <stdio.h>
__attribute__((section(".mydata"))) int a = 1; __attribute__((section(".mytext"), noinline)) int f(int x) { return x + a; }
__attribute__((section(".rodata.mine"))) const int c = 9; __attribute__((aligned(4096))) static char page[4096]; __attribute__((aligned(128))) static int wide = 5;
int main(void) { a += 4; printf("%d %d %d %d\n", f(2), c, (int)((unsigned long)page & 4095), (int)((unsigned long)&wide & 127)); return 0; }
