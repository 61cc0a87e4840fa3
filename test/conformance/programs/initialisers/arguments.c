// args: one two
// env: KEY=value
#include <stdio.h>
#include <stdlib.h>
__attribute__((constructor)) static void early(int argc, char **argv, char **envp) {
  printf("%d %s %s %s\n", argc, argv[2], envp[0], getenv("KEY"));
}
int main(void) { return 0; }
