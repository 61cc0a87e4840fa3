static int same(void) { return 2; }
static int value = 20;
static const char *text(void) { static const char t[] = "b"; return t; }
int other(void) { return same() + value; }
const char *otherText(void) { return text(); }
int (*otherSame(void))(void) { return same; }
