// flags: -std=c++17
#include <algorithm>
#include <cstdio>
#include <deque>
#include <list>
#include <map>
#include <numeric>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>
int main() { std::vector<int> v(20); std::iota(v.begin(), v.end(), 0); std::transform(v.begin(), v.end(), v.begin(), [](int x) { return x * 7 % 11; }); std::sort(v.begin(), v.end(), std::greater<int>()); v.erase(std::unique(v.begin(), v.end()), v.end()); std::deque<int> d(v.rbegin(), v.rend()); d.push_front(-1); std::list<int> l(d.begin(), d.end()); l.reverse(); std::map<int, std::vector<int>> m; for (int x : l) m[x % 3].push_back(x); std::unordered_map<std::string, int> u{{"a", 1}, {"b", 2}}; std::multiset<int> s{3, 1, 3}; for (auto &[k, w] : m) std::printf("%d:%zu:%d ", k, w.size(), w.front()); std::printf("%d %zu %d\n", u.at("b"), s.count(3), std::accumulate(v.begin(), v.end(), 0)); }
