// objects: gcc -O1 -fPIC
#include <stdio.h>
int main(int argc, char **argv) {
  int total = argc;
  auto void add(int);
  void twice(int x) { add(x); add(x); }
  void add(int x) { total += x; if (x > 1) twice(x - 1); }
  twice(4);
  printf("%d\n", total);
  return 0;
}
