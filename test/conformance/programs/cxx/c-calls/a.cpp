#include <cstdio>
extern "C" { int c_add(int, int); int cxx_mul(int a, int b) { return a * b; } extern int c_value; typedef int (*cb)(void *, int); int c_call(cb, void *); }
struct S { int k; static int tramp(void *s, int x) { return ((S *)s)->k + x; } };
int main() { S s{40}; c_value++; std::printf("%d %d %d\n", c_add(2, 3), c_call(S::tramp, &s), c_value); }
