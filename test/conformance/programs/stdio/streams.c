#include <stdio.h>
#include <stdlib.h>
#include <string.h>
int main(void) {
  char *text; size_t size;
  FILE *out = open_memstream(&text, &size);
  for (int i = 0; i < 5; i++) fprintf(out, "%d,", i * i);
  fclose(out);
  printf("%s %zu\n", text, size);
  FILE *in = fmemopen(text, size, "r");
  int value, sum = 0;
  while (fscanf(in, "%d,", &value) == 1) sum += value;
  printf("%d\n", sum);
  rewind(in); ungetc('X', in); printf("%c%c\n", getc(in), getc(in) );
  fclose(in); free(text);
  return 0;
}
