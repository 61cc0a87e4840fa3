// objects: clang -O2 -g -fPIC -ffunction-sections -fdata-sections -funique-section-names
#include <stdio.h>
static int table[3] = {1, 2, 3}; static const char *const words[] = {"x", "y"}; int total; int f(int i) { total += table[i]; return total; }
int main(void) { printf("%d %d %s\n", f(1), f(2), words[1]); return 0; }
