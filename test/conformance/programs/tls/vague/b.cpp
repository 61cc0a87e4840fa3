#include "both.h"
int made(int n) { static thread_local int calls; return n + ++calls; }
void there(int by) { level += by, computed += by, Each<long>::count += by, once() += by, weak += by; }
