#include <cstdio>
struct Loud { const char *n; Loud(const char *n) : n(n) {} ~Loud() { std::printf("~%s\n", n); } };
static void c(int x) { Loud l("c"); if (x) throw x; }
static void b(int x) { Loud l("b"); try { Loud m("inner"); c(x); } catch (char) { std::puts("no"); } }
static void a(int x) { Loud l("a"); b(x); std::puts("returned"); }
int main() { try { a(0); a(7); } catch (int x) { std::printf("caught %d\n", x); } }
