// objects: gcc -O1 -fno-pic -fno-pie
// refused: LINK_ERROR compile it with -fPIC
#include <stdio.h>
static int values[4] = {1, 2, 3, 4}; int at(int i) { return values[i]; }
int main(void) { printf("%d\n", at(2)); return 0; }
