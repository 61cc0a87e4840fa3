// stdin: 12 3.5 word\nrest of line\n
#include <iomanip>
#include <iostream>
#include <sstream>
int main() { int n; double d; std::string s, l; std::cin >> n >> d >> s; std::getline(std::cin, l); std::getline(std::cin, l); std::cout << n << ' ' << std::fixed << std::setprecision(2) << d << ' ' << s << " [" << l << "] " << std::hex << std::showbase << 255 << std::boolalpha << true << '\n'; std::ostringstream o; o << std::setw(6) << std::setfill('*') << 42 << std::left << std::setw(5) << "ab"; std::clog << o.str() << std::endl; std::cerr << std::cin.eof() << '\n'; }
