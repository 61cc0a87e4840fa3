#include <exception>
#include <stdexcept>
#include <string>
namespace app { template <class T> struct Failure : std::runtime_error { T value; Failure(const char *w, T v) : std::runtime_error(w), value(v) {} }; }
int main() { try { throw app::Failure<std::string>("inner", "v"); } catch (...) { std::throw_with_nested(app::Failure<std::string>("outer\nof two lines", "w")); } }
