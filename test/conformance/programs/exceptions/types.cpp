#include <cstdio>
#include <stdexcept>
#include <string>
struct Base { virtual ~Base() {} virtual const char *name() const { return "Base"; } };
struct Derived : Base { const char *name() const override { return "Derived"; } };
static void raise(int what) {
  switch (what) {
  case 0: throw 42;
  case 1: throw Derived();
  case 2: throw std::out_of_range("range");
  case 3: throw "text";
  case 4: throw 2.5;
  case 5: throw std::string("string");
  case 6: throw new Base;
  }
}
int main() {
  for (int i = 0; i <= 7; i++)
    try { raise(i); std::puts("nothing"); }
    catch (int n) { std::printf("int %d\n", n); }
    catch (const Base &b) { std::printf("%s\n", b.name()); }
    catch (const std::logic_error &e) { std::printf("logic %s\n", e.what()); }
    catch (const char *t) { std::printf("chars %s\n", t); }
    catch (Base *b) { std::puts("pointer"); delete b; }
    catch (const std::string &s) { std::printf("string %s\n", s.c_str()); }
    catch (...) { std::puts("else"); }
}
