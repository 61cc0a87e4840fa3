#include <stdio.h>
#include <string.h>
static const char *const words[] = {"suffix", "a suffix", "suffix", "another suffix", ""};
int main(void) { int n = 0; for (int i = 0; i < 5; i++) n += (int)strlen(words[i]); const char *s = "a suffix" + 2; printf("%d %s %s\n", n, s, words[3]); printf("%s %s\n", __func__, __FILE__); return 0; }
