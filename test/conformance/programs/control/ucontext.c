#include <stdio.h>
#include <ucontext.h>
static ucontext_t caller, co; static char stack[65536]; static int value;
static int step(int x) { return x + 1; }
static void body(int a, int b) { for (value = a; value < b; value = step(value)) swapcontext(&co, &caller); puts("body ends"); }
int main(void) { getcontext(&co); co.uc_stack.ss_sp = stack; co.uc_stack.ss_size = sizeof stack; co.uc_link = &caller; makecontext(&co, (void (*)(void))body, 2, 3, 6); for (int i = 0; i < 4; i++) { swapcontext(&caller, &co); printf("%d\n", value); } return 0; }
