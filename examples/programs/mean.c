// The mean of the numbers on standard input, or of the arguments. The rest of it is in sum.cpp and divide.ll.
#include <stdio.h>
#include <stdlib.h>

void add(double x);
int count(void);
double sum(void);
double divide(double a, int b);

int main(int argc, char **argv) {
  double x;
  for (int i = 1; i < argc; i++) add(atof(argv[i]));
  while (argc == 1 && scanf("%lf", &x) == 1) add(x);
  if (count() == 0) {
    fprintf(stderr, "no numbers\n");
    return 1;
  }
  printf("%g\n", divide(sum(), count()));
  return 0;
}
