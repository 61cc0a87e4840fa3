#include <cstdio>
#include <cstdlib>
struct S { const char *n; ~S() { std::puts(n); } };
static S early{"static object"};
static void handler() { std::puts("atexit handler"); static S late{"object of a handler"}; }
int main() { std::atexit(handler); static S inMain{"object of main"}; std::atexit([] { std::puts("second handler"); }); return 0; }
