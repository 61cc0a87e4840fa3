#include <cstdio>
static int (*table[])(int) = {[](int x) { return x + 1; }, [](int x) { static int n; return n += x; }};
static int outer() { struct Local { static int f(int x) { return x * 3; } }; return Local::f(2); } inline namespace v2 { int versioned() { return 2; } }
namespace { struct Hidden { int v = 4; }; Hidden hidden; }
int main() { table[1](5); std::printf("%d %d %d %d %d\n", table[0](1), table[1](6), outer(), versioned(), hidden.v); auto gen = [n = 0]() mutable { return ++n; }; gen(); std::printf("%d\n", gen()); }
