#include <cstdio>
static void f() { std::puts("nothing to rethrow"); std::fflush(stdout); throw; }
int main() { try { f(); } catch (...) { std::puts("caught"); } }
