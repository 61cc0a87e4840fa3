#include <stdio.h>
struct b { unsigned a : 3; int s : 5; unsigned long w : 40; _Bool f : 1; unsigned : 0; unsigned z : 7; } __attribute__((packed)); struct n { signed char x : 4, y : 4; long long l : 33; };
static struct b g = {5, -3, 0xabcdef1234, 1, 100}; static void change(struct b *p) { p->a += 5; p->s--; p->w <<= 4; p->f = !p->f; p->z++; }
int main(void) { change(&g); struct n n = {7, -8, -1}; n.x++; printf("%u %d %lx %d %u %zu %d %d %lld\n", g.a, g.s, (unsigned long)g.w, g.f, g.z, sizeof g, n.x, n.y, (long long)n.l); return 0; }
