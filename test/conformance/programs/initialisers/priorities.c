#include <stdio.h>
#define C(p) __attribute__((constructor(p))) static void c##p(void) { puts("constructor " #p); } \
             __attribute__((destructor(p))) static void d##p(void) { puts("destructor " #p); }
C(300) C(101) C(65535) C(200)
__attribute__((constructor)) static void plain(void) { puts("constructor"); }
__attribute__((destructor)) static void last(void) { puts("destructor"); }
int main(void) { puts("main"); return 0; }
