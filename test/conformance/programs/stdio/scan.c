#include <stdio.h>
int main(void) {
  int a, b, n; float f; double d; long double l; char s[16], set[16];
  printf("%d\n", sscanf("12 0x1f 3.5 2.25 1e3 word abc123", "%d %i %f %lf %Lf %15s %15[a-z]%n", &a, &b, &f, &d, &l, s, set, &n));
  printf("%d %d %g %g %Lg %s %s %d\n", a, b, f, d, l, s, set, n);
  printf("%d %d\n", sscanf("x", "%d", &a), sscanf("", "%d", &a));
  return 0;
}
