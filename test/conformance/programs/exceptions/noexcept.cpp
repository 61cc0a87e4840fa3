#include <cstdio>
static void thrower() { throw 1; }
static void never() noexcept { thrower(); }
int main() { std::puts("before"); std::fflush(stdout); try { never(); } catch (...) { std::puts("caught"); } }
