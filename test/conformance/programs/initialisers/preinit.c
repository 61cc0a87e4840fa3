#include <stdio.h>
static void pre(int argc, char **argv) { printf("preinit %d\n", argc); }
static void ini(void) { puts("init"); }
static void fin(void) { puts("fini"); }
__attribute__((section(".preinit_array"), used)) static void (*p)(int, char **) = pre;
__attribute__((section(".init_array"), used)) static void (*i)(void) = ini;
__attribute__((section(".fini_array"), used)) static void (*f)(void) = fin;
int main(void) { puts("main"); return 0; }
