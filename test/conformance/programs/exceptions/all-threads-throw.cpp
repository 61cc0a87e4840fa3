// flags: -std=c++17 -pthread
#include <atomic>
#include <cstdio>
#include <pthread.h>
#include <stdexcept>
// Threads meet at each function: one is first to link it, and others throw through it at once.
static std::atomic<int> arrived, unwound, caught;
static void meet(int round) { arrived++; while (arrived < 4 * (round + 1)) sched_yield(); }
struct Count { ~Count() { unwound++; } };
template <int N> static void fails(int who) { Count c; meet(N); if constexpr (N % 2 == 0) throw std::runtime_error("even"); else throw N + who; }
template <int N> static void rounds(int who) { if constexpr (N > 0) rounds<N - 1>(who); try { fails<N>(who); } catch (std::exception &) { caught += N; } catch (int n) { caught += n - who; } }
static void *work(void *who) { rounds<39>((int)(long)who); return nullptr; }
int main() { pthread_t all[4]; for (long i = 0; i < 4; i++) pthread_create(&all[i], nullptr, work, (void *)i); for (pthread_t t : all) pthread_join(t, nullptr); std::printf("%d %d\n", unwound.load(), caught.load()); }
