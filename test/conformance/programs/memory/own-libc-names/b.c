#include <string.h>
int helper(const char *s) { return (int)strlen(s); }
