// objects: gcc -O1 -fPIC -mcmodel=large
#include <stdio.h>
static int value = 3;
int main(void) { printf("%d\n", value); return 0; }
