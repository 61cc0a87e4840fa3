#include <atomic>
#include <condition_variable>
#include <cstdio>
#include <mutex>
#include <thread>
#include <vector>
static std::mutex m; static std::condition_variable cv; static bool go; static std::atomic<int> n{0};
int main() { std::vector<std::thread> all; for (int i = 0; i < 5; i++) all.emplace_back([i] { std::unique_lock<std::mutex> l(m); cv.wait(l, [] { return go; }); n += i; }); { std::lock_guard<std::mutex> l(m); go = true; } cv.notify_all(); for (auto &t : all) t.join(); std::printf("%d\n", n.load()); }
