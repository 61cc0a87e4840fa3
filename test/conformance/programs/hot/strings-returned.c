#include <stdio.h>
#include <string.h>
static const char *name(int i) { static char last[16]; switch (i % 4) { case 0: return "zero"; case 1: return "one"; case 2: snprintf(last, sizeof last, "n%d", i); return last; } return __func__; }
int main(void) { const char *kept = name(0), *one = name(1); unsigned long h = 0; for (int i = 0; i < 60000; i++) h = h * 31 + strlen(name(i)); printf("%s %s %s %lu %d\n", kept, one, name(3), h, kept == name(4)); return 0; }
