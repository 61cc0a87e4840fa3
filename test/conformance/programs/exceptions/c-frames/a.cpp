// flags: -fexceptions
#include <cstdio>
extern "C" int apply(int (*f)(int), int x);
static int thrower(int x) { if (x > 2) throw x; return x; }
int main() { try { std::printf("%d\n", apply(thrower, 2)); apply(thrower, 3); } catch (int x) { std::printf("through C %d\n", x); } }
