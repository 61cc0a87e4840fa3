#include <stdio.h>
static int callee(int x) { return x + 5; }
int called_by_asm(int x) { return callee(x); }
static unsigned rotate(unsigned x, int n) { __asm__("roll %%cl, %0" : "+r"(x) : "c"(n) : "cc"); return x; }
static int through(int x) { int r; __asm__ volatile("sub $128, %%rsp\n call *%2\n add $128, %%rsp" : "=a"(r) : "D"(x), "r"(called_by_asm) : "rcx", "rdx", "rsi", "r8", "r9", "r10", "r11", "memory", "cc"); return r; }
int main(void) { int go = 0; __asm__ goto("jmp %l0" ::::skip); go = 1; skip: printf("%x %d %d\n", rotate(0x80000001u, 4), through(2), go); return 0; }
