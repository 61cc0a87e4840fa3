#include <stdio.h>
#include <stdint.h>
#include <inttypes.h>
#include <math.h>
#include <stddef.h>
int main(void) {
  printf("%5d|%-5d|%05d|%+d|% d|%x|%#o|%c|%%\n", 42, 42, 42, 42, 42, 255, 8, 'x');
  printf("%hhd %hd %ld %lld %zu %td %jd\n", (char)300, (short)70000, 1L << 40, 1LL << 50, sizeof(int), (ptrdiff_t)-1, (intmax_t)7);
  printf("%f %e %g %a %.3f %10.2f|%-10.1f|\n", 3.25, 31415.9, 1e-7, 1.5, 2.0 / 3, 1.005, 9.95);
  printf("%f %f %f %Lf\n", INFINITY, -INFINITY, NAN, 1.0L / 3);
  printf("%s|%.2s|%8s|%-8s|\n", "text", "text", "text", "text");
  printf("%2$s %1$s %2$*3$s\n", "one", "two", 6);
  int n; printf("abc%n", &n); printf(" %d\n", n);
  printf("%" PRIu64 " %" PRIx32 "\n", UINT64_MAX, UINT32_C(0xdeadbeef));
  char small[8]; printf("%d %s\n", snprintf(small, sizeof small, "%s", "longer than that"), small);
  return 0;
}
