#include <stdio.h>
static int impl(int x) { return x * 3; }
int shown(int x) __attribute__((alias("impl")));
static const char text[] = "text";
extern const char name[5] __attribute__((alias("text")));
int main(void) { printf("%d %s %d\n", shown(4), name, (void *)name == (void *)text); return 0; }
