// flags: -D_FORTIFY_SOURCE=2 -O2
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
int main(void) { char a[32], b[32]; sprintf(a, "%s-%d", "abc", 5); strcpy(b, a); strcat(b, "!"); memmove(a, b, strlen(b) + 1); char *h = malloc(10); strncpy(h, a, 9); h[9] = 0; printf("%s %s\n", a, h); write(1, "w\n", 2); return 0; }
