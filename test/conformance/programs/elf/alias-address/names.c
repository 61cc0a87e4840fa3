#include "names.h"
int real(int x) { return x; }
int other(int) __attribute__((alias("real")));
int soft(int) __attribute__((weak, alias("real")));
int shared(int) __attribute__((alias("other")));
int overridden(int) __attribute__((weak, alias("real")));
static int private(int x) { return x * 7; }
int shown(int) __attribute__((alias("private")));
fn kept[4] = {real, other, soft, overridden};
const fn table_of_static[2] = {private, shown};
int same(fn f, int which) {
  fn volatile names[] = {real, other, soft, overridden};
  return f == names[which];
}
