// objects: gcc -O1 -fPIC -mcmodel=medium -mlarge-data-threshold=16
#include <stdio.h>
static int values[1000]; int at(int i) { return values[i]++; }
int main(void) { printf("%d\n", at(2)); return 0; }
