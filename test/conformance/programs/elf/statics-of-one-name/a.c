#include <stdio.h>
static int same(void) { return 1; }
static int value = 10;
static const char *text(void) { static const char t[] = "a"; return t; }
int other(void); const char *otherText(void); int (*otherSame(void))(void);
int main(void) { value++; printf("%d %d %d %s %s %d\n", same(), other(), value, text(), otherText(), same == otherSame()); return 0; }
