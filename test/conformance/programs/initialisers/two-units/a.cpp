#include <cstdio>
struct A { A() { std::puts("a"); } ~A() { std::puts("~a"); } };
static A a1, a2;
extern int fromB;
int main() { std::printf("%d\n", fromB); }
