// flags: -std=c++20
#include <cstdio>
namespace std { template <class R, class... A> struct coroutine_traits { using promise_type = typename R::promise_type; };
template <class P = void> struct coroutine_handle; template <> struct coroutine_handle<void> { void *p = nullptr; static coroutine_handle from_address(void *a) { coroutine_handle h; h.p = a; return h; } void *address() const { return p; } void resume() const { __builtin_coro_resume(p); } void destroy() const { __builtin_coro_destroy(p); } bool done() const { return __builtin_coro_done(p); } };
template <class P> struct coroutine_handle : coroutine_handle<> { static coroutine_handle from_address(void *a) { coroutine_handle h; h.p = a; return h; } static coroutine_handle from_promise(P &x) { coroutine_handle h; h.p = __builtin_coro_promise((void *)&x, alignof(P), true); return h; } P &promise() const { return *(P *)__builtin_coro_promise(p, alignof(P), false); } };
struct suspend_always { bool await_ready() noexcept { return false; } void await_suspend(coroutine_handle<>) noexcept {} void await_resume() noexcept {} };
namespace experimental { using std::coroutine_traits; using std::coroutine_handle; } }
struct Gen { struct promise_type { int value; Gen get_return_object() { return {std::coroutine_handle<promise_type>::from_promise(*this)}; } std::suspend_always initial_suspend() noexcept { return {}; } std::suspend_always final_suspend() noexcept { return {}; } std::suspend_always yield_value(int v) { value = v; return {}; } void return_void() {} void unhandled_exception() { throw; } };
  std::coroutine_handle<promise_type> h; bool next() { h.resume(); return !h.done(); } ~Gen() { h.destroy(); } };
struct Loud { ~Loud() { std::puts("frame ends"); } };
static int twice(int x) { return x * 2; }
static Gen count(int from, int to) { Loud l; for (int i = from; i < to; i++) co_yield twice(i); std::puts("body ends"); }
static Gen throws() { co_yield 1; throw 5; }
int main() { Gen g = count(1, 4); while (g.next()) std::printf("%d\n", g.h.promise().value); { Gen early = count(7, 9); early.next(); std::printf("%d\n", early.h.promise().value); } Gen t = throws(); t.next(); try { t.next(); } catch (int n) { std::printf("caught %d\n", n); } }
