#include <cstdio>
#include <exception>
static int helper(int x) { if (x) throw 'c'; return 1; }
struct S { ~S() { try { helper(1); } catch (char c) { std::printf("%c %d\n", c, std::uncaught_exceptions()); } } };
int main() { try { S s; throw 1; } catch (int n) { std::printf("%d\n", n); } }
