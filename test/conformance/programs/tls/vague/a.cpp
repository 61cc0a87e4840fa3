// Thread-local variables of which there is one in each thread, in whichever file it is named.
#include "both.h"
#include <cstdio>
#include <thread>
void there(int by);
static void here(const char *who) {
  level += 1, computed += 2, Each<long>::count += 3, once() += 4, weak += 5;
  there(10);
  std::printf("%s %d %d %d %d %d\n", who, level, computed, Each<long>::count, once(), weak);
}
int main() {
  here("main");
  std::thread(here, "thread").join();
  here("main");
}
