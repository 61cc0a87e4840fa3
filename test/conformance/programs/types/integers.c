#include <limits.h>
#include <stdint.h>
#include <stdio.h>
int main(void) { volatile int i = INT_MIN; volatile unsigned u = 3000000000u; volatile signed char c = -128; volatile uint64_t q = UINT64_MAX; volatile short s = -1; printf("%d %u %d %llu %d\n", i / 2, u * 2, (unsigned char)c, (unsigned long long)(q / 3), s >> 3); printf("%d %d %d %d %d\n", __builtin_popcountll(q), __builtin_clz(u), __builtin_ctz(8), __builtin_parity(7), __builtin_bswap32(0x01020304) == 0x04030201); printf("%d %d\n", (int)(i % 7), (int)((unsigned)i % 7)); unsigned r; printf("%d %d\n", __builtin_sub_overflow(1u, 2u, &r), __builtin_mul_overflow(1 << 20, 1 << 20, &i)); return 0; }
