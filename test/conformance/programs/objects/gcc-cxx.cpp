// objects: gcc -O2 -fPIC -ffunction-sections -fdata-sections
#include <iostream>
#include <map>
#include <stdexcept>
#include <string>
static std::map<std::string, int> counts; template <class T> T checked(T x) { if (x > 2) throw std::range_error("too many"); return x; }
int main() { for (auto w : {"a", "b", "a", "c", "a"}) counts[w]++; for (auto &[k, v] : counts) try { std::cout << k << ' ' << checked(v) << '\n'; } catch (std::exception &e) { std::cout << k << ' ' << e.what() << std::endl; } }
