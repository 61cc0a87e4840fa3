// stdin: nobody reads this
#include <stdio.h>
int main(void) { puts("done"); return 3; }
