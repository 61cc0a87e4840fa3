#include <wchar.h>
#include <stdio.h>
#include <locale.h>
int main(void) {
  wchar_t text[32];
  swprintf(text, 32, L"%d %ls", 42, L"wide");
  printf("%zu %ls\n", wcslen(text), text);
  printf("%d %s\n", wcscmp(L"a", L"b") < 0, setlocale(LC_ALL, "C"));
  return 0;
}
