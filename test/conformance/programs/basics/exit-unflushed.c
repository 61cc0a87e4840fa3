#include <stdio.h>
#include <unistd.h>
int main(void) { printf("lost"); fprintf(stderr, "kept"); _exit(7); }
