#include <stdio.h>
#include <stdlib.h>
__attribute__((constructor)) static void ends(void) { puts("ends"); exit(11); }
__attribute__((destructor)) static void fin(void) { puts("fini"); }
int main(void) { puts("never"); return 0; }
