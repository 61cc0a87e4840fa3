// args: -x --long=value -- a=b '' * ? $HOME
#include <stdio.h>
#include <unistd.h>
#include <getopt.h>
int main(int argc, char **argv) {
  struct option longs[] = {{"long", required_argument, 0, 'l'}, {0}};
  for (int c; (c = getopt_long(argc, argv, "x", longs, 0)) >= 0;) printf("%c %s\n", c, optarg ? optarg : "-");
  for (int i = optind; i < argc; i++) printf("[%s]", argv[i]);
  puts("");
  return argv[argc] != 0;
}
