#include <stdio.h>
static int resolved;
static int fast(int x) { return x * 2; }
static int slow(int x) { return x * 3; }
static int choice = 1;
static void *resolve(void) { return choice ? (void *)fast : (void *)slow; }
int work(int) __attribute__((ifunc("resolve")));
static int local(int) __attribute__((ifunc("resolve")));
int main(void) { int (*p)(int) = work; printf("%d %d %d %d\n", work(1), local(2), p(3), p == work); return resolved; }
