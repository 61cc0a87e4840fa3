#include <stdio.h>
#include <ucontext.h>
static ucontext_t main_, a, b; static char sa[65536], sb[65536];
static int only_a(int x) { return x * 2; } static int only_b(int x) { return x * 3; }
static void fa(void) { for (int i = 0; i < 2; i++) { printf("a %d\n", only_a(i)); swapcontext(&a, &b); } } static void fb(void) { for (int i = 0; i < 2; i++) { printf("b %d\n", only_b(i)); swapcontext(&b, &a); } }
int main(void) { getcontext(&a); a.uc_stack.ss_sp = sa; a.uc_stack.ss_size = sizeof sa; a.uc_link = &main_; makecontext(&a, fa, 0); getcontext(&b); b.uc_stack.ss_sp = sb; b.uc_stack.ss_size = sizeof sb; b.uc_link = &main_; makecontext(&b, fb, 0); swapcontext(&main_, &a); puts("done"); return 0; }
