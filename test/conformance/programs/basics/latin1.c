// A source in Latin-1.
#include <stdio.h>
int main(void) { static const unsigned char text[] = "дя"; printf("%d %d %zu\n", text[0], text[1], sizeof text); return 0; }
