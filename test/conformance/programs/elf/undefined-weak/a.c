#include <stdio.h>
#include <stdlib.h>
typedef int (*fn)(int);
extern int nobody(int) __attribute__((weak));
extern int no_data __attribute__((weak));
extern int somebody(int) __attribute__((weak));
static int through(int) __attribute__((weakref("somebody")));
static int through_nothing(int) __attribute__((weakref("nobody_either")));
static int of_libc(int) __attribute__((weakref("abs")));
fn table[] = {nobody, somebody};
static int *volatile data = &no_data;
int main(void) {
  fn volatile a = nobody, b = somebody, c = through, d = through_nothing, e = of_libc;
  printf("%d %d %d %d %d\n", a == 0, b != 0, c == b, d == 0, e != 0);
  printf("%d %d %d\n", table[0] == 0, table[1] == b, data == 0);
  printf("%d %d %d\n", nobody ? nobody(1) : -1, through ? through(4) : -1, of_libc(-7));
  return 0;
}
