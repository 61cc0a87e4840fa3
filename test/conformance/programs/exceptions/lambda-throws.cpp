// flags: -std=c++17
#include <cstdio>
#include <functional>
#include <optional>
#include <variant>
#include <any>
int main() {
  std::function<int(int)> f = [](int x) -> int { if (x < 0) throw x; return x; };
  try { f(1); f(-1); } catch (int x) { std::printf("%d\n", x); }
  try { std::function<void()> empty; empty(); } catch (std::bad_function_call &) { std::puts("empty"); }
  try { std::optional<int>().value(); } catch (std::bad_optional_access &) { std::puts("optional"); }
  try { std::variant<int, char> v(1); (void)std::get<char>(v); } catch (std::bad_variant_access &) { std::puts("variant"); }
  try { std::any_cast<int>(std::any(2.5)); } catch (std::bad_any_cast &) { std::puts("any"); }
}
