#include <alloca.h>
#include <cstdio>
#include <cstring>
struct G { char *p; ~G() { std::printf("%s\n", p); } };
static void f(int n) { char *p = (char *)alloca(n); std::memset(p, 'x', n - 1); p[n - 1] = 0; G g{p}; if (n > 3) throw n; f(n + 1); }
int main() { try { f(2); } catch (int n) { std::printf("%d\n", n); } }
