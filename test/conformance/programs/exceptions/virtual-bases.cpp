#include <cstdio>
struct A { int a = 1; virtual ~A() {} }; struct B : virtual A { int b = 2; }; struct C : virtual A { int c = 3; }; struct D : B, C { int d = 4; };
struct Private : private A {};
int main() {
  try { throw D(); } catch (A &x) { std::printf("%d %d\n", x.a, dynamic_cast<D &>(x).d); }
  try { throw D(); } catch (C &x) { std::printf("%d %d\n", x.c, dynamic_cast<B &>(x).b); }
  try { throw Private(); } catch (A &) { std::puts("wrong"); } catch (Private &) { std::puts("private"); }
  try { D d; A &a = d; (void)dynamic_cast<Private &>(a); } catch (...) { std::puts("bad cast"); }
}
