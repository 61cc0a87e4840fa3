#include <stdarg.h>
#include <stdio.h>
struct small { int a; float b; }; struct two { double a, b; }; struct large { long v[5]; }; struct odd { char t[3]; };
static void show(int n, ...) { va_list ap; va_start(ap, n); struct small s = va_arg(ap, struct small); struct large l = va_arg(ap, struct large); struct two t = va_arg(ap, struct two); struct odd o = va_arg(ap, struct odd); __int128 w = va_arg(ap, __int128); int last = va_arg(ap, int); va_end(ap); printf("%d %g %ld %g %c %d %d\n", s.a, s.b, l.v[4], t.b, o.t[2], (int)(w >> 64), last); }
int main(void) { show(6, (struct small){1, 2.5f}, (struct large){{1, 2, 3, 4, 5}}, (struct two){1, 7.5}, (struct odd){"xyz"}, (__int128)9 << 64, 42); return 0; }
