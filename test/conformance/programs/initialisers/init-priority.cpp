#include <cstdio>
struct S { int n; S(int n) : n(n) { std::printf("S%d\n", n); } ~S() { std::printf("~S%d\n", n); } };
__attribute__((init_priority(300))) S c(3);
__attribute__((init_priority(200))) S b(2);
S d(4);
__attribute__((init_priority(101))) S a(1);
int main() {}
