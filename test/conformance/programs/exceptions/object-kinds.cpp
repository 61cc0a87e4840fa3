// flags: -std=c++17
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <memory>
struct alignas(16) Aligned { char c[16]; };
struct Huge { char bytes[100000]; };
struct Only { std::unique_ptr<int> p; };
struct A { virtual ~A() = default; int a = 1; }; struct B { virtual ~B() = default; int b = 2; }; struct AB : A, B {};
enum class Colour { red, green };
static void plain() {}
struct Slow { int n; Slow(int &tries) : n(++tries) { if (n < 3) throw n; } };
static int once() { static int tries; static Slow s(tries); return s.n; }
int main() {
  try { throw Aligned{}; } catch (Aligned &a) { std::printf("%d\n", (int)(reinterpret_cast<std::uintptr_t>(&a) % 16)); }
  try { Huge h; std::memset(h.bytes, 7, sizeof h.bytes); throw h; } catch (const Huge &h) { std::printf("%d\n", h.bytes[99999]); }
  try { throw Only{std::make_unique<int>(5)}; } catch (Only &o) { std::printf("%d\n", *o.p); }
  try { throw AB(); } catch (B &b) { std::printf("%d\n", b.b); }
  try { static AB ab; throw &ab; } catch (const B *b) { std::printf("%d\n", b->b); }
  try { throw Colour::green; } catch (Colour c) { std::printf("%d\n", (int)c); }
  try { throw nullptr; } catch (const A *p) { std::printf("%d\n", p == nullptr); }
  try { throw &plain; } catch (void (*f)()) { std::printf("%d\n", f == &plain); }
  try { throw &A::a; } catch (int A::*m) { A a; std::printf("%d\n", a.*m); }
  try { int v[3] = {1, 2, 3}; throw v; } catch (int *) { std::puts("array"); }
  for (int i = 0; i < 4; i++) try { std::printf("%d\n", once()); } catch (int n) { std::printf("try %d\n", n); }
}
