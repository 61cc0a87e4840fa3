#include <cstdio>
struct A { virtual int f(int x) { return x + 1; } int g(int x) { return x * 2; } int a = 5; }; struct B { virtual int h(int x) { return x - 1; } int b = 6; }; struct C : A, B { int f(int x) override { return x + 100; } int h(int x) override { return x - 100; } };
static int call(B *b, int (B::*m)(int), int x) { return (b->*m)(x); }
int main() { C c; int (A::*p)(int) = &A::f; int (C::*q)(int) = &A::g; int (B::*r)(int) = &B::h; int C::*d = &C::b; std::printf("%d %d %d %d %d %d\n", (c.*p)(1), (c.*q)(2), call(&c, r, 3), c.*d, p == nullptr, (c.*static_cast<int (C::*)(int)>(r))(4)); }
