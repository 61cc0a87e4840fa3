#include <stdio.h>
#include "names.h"
fn in_data[] = {real, other, soft, shared};
const fn in_constants[] = {real, other, soft, shared};
int overridden(int x) { return x + 100; }
int main(void) {
  fn volatile a = real, b = other, c = soft, d = overridden;
  printf("%d %d %d %d\n", a == b, b == c, a == d, a == shared);
  printf("%d %d %d %d\n", a(1), b(2), c(3), d(4));
  printf("%d %d %d\n", in_data[0] == b, in_data[1] == in_constants[2], in_constants[0] == in_data[3]);
  printf("%d %d %d %d\n", kept[0] == a, kept[1] == a, kept[2] == a, kept[3] == d);
  printf("%d %d %d %d\n", same(a, 0), same(b, 1), same(c, 2), same(d, 3));
  printf("%d\n", table_of_static[0] == table_of_static[1]);
  return 0;
}
