#include <stdio.h>
typedef unsigned __int128 u; typedef __int128 s;
static u mul(u a, u b) { return a * b; } static s divide(s a, s b) { return a / b; } static u rem(u a, u b) { return a % b; } static double to_double(s a) { return (double)a; } static s from(double d) { return (s)d; }
static void show(u x) { printf("%016llx%016llx ", (unsigned long long)(x >> 64), (unsigned long long)x); }
int main(void) { u big = ((u)0x123456789abcdef0ull << 64) | 0xfedcba9876543210ull; show(mul(big, 1000003)); show((u)divide(-(s)(big >> 1), 12345678901ll)); show(rem(big, (u)1 << 70 | 3)); show(big << 37 ^ big >> 91); printf("%.17g ", to_double(-(s)(big >> 3))); show((u)from(-1.5e30)); s o; printf("%d %d\n", __builtin_mul_overflow((s)big, (s)16, &o), __builtin_add_overflow((s)1, (s)2, &o)); return 0; }
