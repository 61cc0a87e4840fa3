#include <stdio.h>
int weak_here(void);
__attribute__((weak)) int chosen(void) { return 1; }
__attribute__((weak)) int only_weak(void) { return 2; }
__attribute__((weak)) int data = 3;
extern int missing_data __attribute__((weak));
extern int missing(void) __attribute__((weak));
int main(void) { printf("%d %d %d %d %d\n", chosen(), only_weak(), data, &missing_data == 0, missing ? missing() : -1); return 0; }
