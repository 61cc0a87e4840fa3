// objects: gcc -O1 -fPIC -mcmodel=large
// refused: LINK_ERROR relocation R_X86_64_PLTOFF64
#include <stdio.h>
static int value = 3;
int main(void) { printf("%d\n", value); return 0; }
