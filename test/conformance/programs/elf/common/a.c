// flags: -fcommon
#include <stdio.h>
int shared; char buffer[10]; double initial;
int bump(void);
int main(void) { shared = 5; bump(); buffer[99] = 7; printf("%d %g %d\n", shared, initial, buffer[99]); return 0; }
