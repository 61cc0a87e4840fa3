// flags: -std=c++17
#include <cstdio>
#include <regex>
#include <string>
#include <string_view>
int main() { std::string s = "short"; s += " and then long enough for the heap"; s.replace(0, 5, "SHORT"); std::string_view v(s); std::printf("%s %zu %d %s\n", s.substr(6, 8).c_str(), s.find("long"), (int)v.compare("T"), std::to_string(3.5).c_str()); std::smatch m; if (std::regex_search(s, m, std::regex("(\\w+) (\\w+)"))) std::printf("%s|%s\n", m.str(1).c_str(), m.str(2).c_str()); std::printf("%d %s\n", std::stoi("42x"), std::u32string(3, U'x').size() == 3 ? "u32" : ""); try { (void)std::stoi("x"); } catch (std::invalid_argument &e) { std::puts(e.what()); } }
