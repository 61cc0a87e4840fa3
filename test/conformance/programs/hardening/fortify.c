// flags: -D_FORTIFY_SOURCE=2 -O2
// differs: at -O0 the compiler does not say how large objects are, so nothing is checked, as natively at -O0
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
static char small[8];
int main(int argc, char **argv) { const char *text = argc > 5 ? "a" : "short"; strcpy(small, text); printf("%s\n", small); snprintf(small, sizeof small, "%d", 1234); puts(small); fflush(stdout); memset(small, 'x', 8 + (size_t)argc * 4); return 0; }
