#include <cstdio>
#include <string>
#include <typeinfo>
template <class T> T &global() { static T t; return t; }
int main() { global<std::string>() = "kept"; std::string s = std::string().append(global<std::string>()); std::printf("%s %d %d\n", s.c_str(), typeid(std::string) == typeid(s), std::string::npos == (size_t)-1); }
