#include <cstdio>
static int make() { std::puts("b"); return 42; }
int fromB = make();
struct B { ~B() { std::puts("~b"); } };
static B b;
