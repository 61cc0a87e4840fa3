#include <stdio.h>
#include <string.h>
struct large { char text[5000]; int end; }; static struct large make(int n) { struct large l; memset(&l, n, sizeof l); l.end = n; return l; }
int main(void) { struct large a = make(3), b = a; b.text[4999] = 9; memmove(b.text + 1, b.text, 100); memcpy(a.text, "abcdef", 6); memmove(a.text + 2, a.text, 4); printf("%d %d %d %.6s %d\n", b.end, b.text[4999], memcmp(&a, &b, sizeof a) != 0, a.text, (int)strnlen(a.text, 6)); return 0; }
