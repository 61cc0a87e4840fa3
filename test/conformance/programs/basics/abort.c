#include <stdio.h>
#include <stdlib.h>
int main(void) { fputs("before\n", stderr); abort(); }
