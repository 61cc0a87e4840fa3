#include <stdio.h>
__attribute__((visibility("hidden"))) int inside(int);
extern __attribute__((visibility("hidden"))) int value;
__attribute__((visibility("protected"))) int guarded(void) { return 6; }
int main(void) { value++; printf("%d %d\n", inside(1), guarded()); return 0; }
