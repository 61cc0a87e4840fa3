#include <stdio.h>
int main(void) {
  for (int i = 0; i < 40000; i++) printf("line %d of many, long enough to fill pipes\n", i);
  fprintf(stderr, "%d\n", 40000);
  return 0;
}
