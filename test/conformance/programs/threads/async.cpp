#include <cstdio>
#include <future>
#include <stdexcept>
static int work(int x) { if (x < 0) throw std::runtime_error("negative"); return x * 2; }
int main() { auto a = std::async(std::launch::async, work, 21); auto b = std::async(std::launch::async, work, -1); auto c = std::async(std::launch::deferred, work, 4); std::printf("%d %d\n", a.get(), c.get()); try { b.get(); } catch (std::exception &e) { std::puts(e.what()); } std::promise<int> p; auto f = p.get_future(); std::thread t([&] { p.set_value(7); }); t.join(); std::printf("%d\n", f.get()); }
