#include <stdio.h>
extern long add3(long, long, long); extern const int table[4]; extern int back(int);
int helper(int x) { return x * 11; }
int main(void) { printf("%ld %d %d\n", add3(1, 2, 3), table[2], back(2)); return 0; }
