#include <stdio.h>
#include <stdlib.h>
static void first(void) { puts("first"); }
static void changes(void) { puts("changes"); exit(5); }
static void nested(void) { puts("nested"); atexit(first); }
int main(void) { atexit(first); atexit(changes); atexit(nested); return 4; }
