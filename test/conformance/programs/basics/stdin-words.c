// stdin: one two\nthree  four\n5
#include <stdio.h>
int main(void) {
  char word[32];
  int count = 0, number = -1;
  while (count < 4 && scanf("%31s", word) == 1) printf("%d:%s\n", ++count, word);
  printf("%d %d\n", scanf("%d", &number), number);
  printf("%d %d\n", getchar(), feof(stdin));
  return 0;
}
