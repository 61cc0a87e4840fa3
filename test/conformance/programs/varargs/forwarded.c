#include <stdarg.h>
#include <stdio.h>
__attribute__((format(printf, 2, 3))) static int say(FILE *f, const char *format, ...) { va_list ap; va_start(ap, format); int n = vfprintf(f, format, ap); va_end(ap); return n; }
static int (*indirect)(const char *, ...) = printf;
int main(void) { int n = say(stdout, "%s %d %g %c %ld\n", "x", 1, 2.5, 'c', 99L); say(stderr, "%d %f %f %f %f %f %f %f %f %f\n", n, 1., 2., 3., 4., 5., 6., 7., 8., 9.); return indirect("%d\n", 3) - 2; }
