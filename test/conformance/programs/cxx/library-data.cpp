// flags: -D_GLIBCXX_USE_CXX11_ABI=0
#include <cstdio>
#include <locale>
#include <sstream>
#include <string>
// Instantiated here, as in libstdc++: both use one empty string, and the library finds facets by the addresses of their ids.
template class std::basic_string<char>;
template class std::numpunct<wchar_t>;
struct Comma : std::numpunct<wchar_t> {
  wchar_t do_decimal_point() const override { return L','; }
};
int main() {
  std::wostringstream stream;
  stream.imbue(std::locale(std::locale(), new Comma));
  stream << 1.5;
  std::printf("%ls\n", stream.str().c_str());
  std::ostringstream narrow;
  std::string empty, other = narrow.str();
  std::printf("%d\n", empty.data() == other.data());
  return 0;
}
