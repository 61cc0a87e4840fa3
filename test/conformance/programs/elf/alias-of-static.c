#include <stdio.h>
typedef int (*fn)(int);
static int real(int x) { return x + 1; }
int soft(int) __attribute__((weak, alias("real")));
fn table[] = {real, soft};
int main(void) {
  fn volatile a = real, b = soft;
  printf("%d %d %d %d\n", a == b, table[0] == b, a == table[1], a(1) + b(2));
  return 0;
}
