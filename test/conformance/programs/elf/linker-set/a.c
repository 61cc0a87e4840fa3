#include <stdio.h>
struct entry { const char *name; int (*run)(int); };
extern const struct entry __start_commands[], __stop_commands[];
int main(void) { for (const struct entry *e = __start_commands; e < __stop_commands; e++) printf("%s %d\n", e->name, e->run(5)); return (int)(__stop_commands - __start_commands); }
