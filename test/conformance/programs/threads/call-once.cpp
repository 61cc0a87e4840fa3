#include <cstdio>
#include <mutex>
#include <thread>
static std::once_flag flag; static int tries; static void make(bool fails) { tries++; if (fails) throw 1; }
int main() { try { std::call_once(flag, make, true); } catch (int) { std::puts("failed once"); } std::thread t[4]; for (auto &x : t) x = std::thread([] { std::call_once(flag, make, false); }); for (auto &x : t) x.join(); std::printf("%d\n", tries); }
