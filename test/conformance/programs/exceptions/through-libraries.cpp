#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <mutex>
#include <vector>
static int key(const void *a, const void *b) { if (*(const int *)b == 4) throw 'b'; return *(const int *)a - *(const int *)b; }
static int outer(const void *a, const void *b) { int v[] = {1, 2, 3, 4, 5, 6, 7}; try { std::bsearch(a, v, 7, sizeof *v, key); } catch (char c) { std::printf("%c", c); if (*(const int *)b == 1) throw 1.5; } return *(const int *)a - *(const int *)b; }
struct Less { int limit; bool operator()(int a, int b) const { if (a + b > limit) throw a + b; return a < b; } };
int main() {
  int v[] = {3, 2, 1}; try { std::qsort(v, 3, sizeof *v, outer); std::puts("sorted"); } catch (double d) { std::printf(" %g\n", d); }
  std::vector<int> w; for (int i = 0; i < 100; i++) w.push_back(i * 37 % 100); try { std::sort(w.begin(), w.end(), Less{190}); } catch (int n) { std::printf("sort %d\n", n > 190); }
  std::map<int, int, Less> m(Less{30}); try { for (int i = 0;; i++) m[i] = i; } catch (int) { std::printf("map %zu\n", m.size()); }
  std::once_flag once; for (int i = 0; i < 3; i++) try { std::call_once(once, [i] { if (i < 2) throw i; std::puts("once"); }); } catch (int n) { std::printf("not yet %d\n", n); }
}
