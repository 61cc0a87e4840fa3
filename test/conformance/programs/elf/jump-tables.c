#include <stdio.h>
static int pick(int x) { switch (x) { case 0: return 10; case 1: return 21; case 2: return 35; case 3: return 4; case 4: return 57; case 5: return 61; case 6: return 7; case 7: return 88; case 9: return 9; default: return -1; } }
static const char *word(int x) { switch (x) { case 'a': return "a"; case 'b': return "bee"; case 'c': return "sea"; case 'd': puts("side"); return "dee"; case 'e': return "e"; case 'f': return "eff"; } return "?"; }
int main(void) { for (int i = -1; i < 11; i++) printf("%d ", pick(i)); for (int c = 'a'; c < 'h'; c++) printf("%s ", word(c)); puts(""); return 0; }
