// differs: a confined program starts no process
#include <stdio.h>
#include <stdlib.h>
int main(void) { FILE *p = popen("echo hello", "r"); char line[32] = ""; if (p) { fgets(line, 32, p); pclose(p); } printf("%d %s\n", p != 0, line); printf("%d\n", system("exit 3") >> 8); return 0; }
