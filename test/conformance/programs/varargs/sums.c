#include <stdarg.h>
#include <stdio.h>
static double sum(const char *types, ...) { va_list ap, again; double s = 0; va_start(ap, types); va_copy(again, ap); for (const char *t = types; *t; t++) switch (*t) { case 'i': s += va_arg(ap, int); break; case 'd': s += va_arg(ap, double); break; case 'l': s += (double)va_arg(ap, long long); break; case 'L': s += (double)va_arg(ap, long double); break; case 's': s += va_arg(ap, char *)[0]; break; } va_end(ap); s += va_arg(again, int); va_end(again); return s; }
int main(void) { printf("%g\n", sum("idlLsididididid", 1, 2.5, 1LL << 33, 3.25L, "a", 4, 5.0, 6, 7.0, 8, 9.0, 10, 11.0, 12, 13.5)); return 0; }
