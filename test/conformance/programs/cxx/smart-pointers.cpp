#include <cstdio>
#include <functional>
#include <memory>
struct N : std::enable_shared_from_this<N> { int v; std::weak_ptr<N> back; std::shared_ptr<N> next; N(int v) : v(v) {} ~N() { std::printf("~%d ", v); } };
int main() { auto a = std::make_shared<N>(1); a->next = std::make_shared<N>(2); a->next->back = a; std::printf("%ld %d\n", a.use_count(), a->next->back.lock()->v); auto self = a->shared_from_this(); std::unique_ptr<N, std::function<void(N *)>> u(new N(3), [](N *n) { std::printf("deleter "); delete n; }); self.reset(); a.reset(); u.reset(); std::puts(""); }
