#include <iostream>
#include <locale>
#include <sstream>
struct Comma : std::numpunct<char> { char do_decimal_point() const override { return ','; } char do_thousands_sep() const override { return '.'; } std::string do_grouping() const override { return "\3"; } };
int main() { std::ostringstream o; o.imbue(std::locale(o.getloc(), new Comma)); o << 1234567 << ' ' << 2.5; std::cout << o.str() << ' ' << std::use_facet<std::ctype<char>>(std::locale()).toupper('x') << ' ' << std::locale().name() << '\n'; try { std::locale l("no_SUCH"); } catch (std::runtime_error &e) { std::cout << "no locale\n"; } }
