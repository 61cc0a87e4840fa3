#include <stdio.h>
__attribute__((target("avx2"))) static int wide(const int *v, int n) { int s = 0; for (int i = 0; i < n; i++) s += v[i]; return s; }
static int narrow(const int *v, int n) { int s = 0; for (int i = 0; i < n; i++) s += v[i]; return s; }
int main(void) { int v[64]; for (int i = 0; i < 64; i++) v[i] = i; __builtin_cpu_init(); printf("%d\n", __builtin_cpu_supports("avx2") ? wide(v, 64) : narrow(v, 64)); return 0; }
