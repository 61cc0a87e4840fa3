// env: NAME=value EMPTY=
#include <stdio.h>
#include <stdlib.h>
extern char **environ;
int main(int argc, char **argv, char **envp) {
  for (char **e = environ; *e; e++) puts(*e);
  printf("%d %s [%s] %s\n", envp == environ, getenv("NAME"), getenv("EMPTY"), getenv("HOME") ? "home" : "no home");
  setenv("NEW", "one", 1);
  unsetenv("NAME");
  printf("%s %s\n", getenv("NEW"), getenv("NAME") ? "there" : "gone");
  return 0;
}
