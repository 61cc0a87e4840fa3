#include <stdio.h>
static int counter = 3;
extern int also __attribute__((alias("counter")));
int real(int x) { return x + counter; }
int other(int) __attribute__((alias("real")));
static int hidden(int) __attribute__((alias("real")));
int weakly(int) __attribute__((weak, alias("real")));
int main(void) { also = 10; printf("%d %d %d %d %d\n", real(1), other(2), hidden(3), weakly(4), &also == &counter); return 0; }
