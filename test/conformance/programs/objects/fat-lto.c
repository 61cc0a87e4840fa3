// objects: gcc -O1 -fPIC -flto -ffat-lto-objects
#include <stdio.h>
int main(void) { puts("machine code"); return 0; }
