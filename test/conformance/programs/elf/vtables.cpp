#include <cstdio>
#include <typeinfo>
struct Shape { virtual double area() const = 0; virtual ~Shape() = default; }; struct Square : Shape { double s; Square(double s) : s(s) {} double area() const override { return s * s; } };
struct Round final : Shape { double r; Round(double r) : r(r) {} double area() const override { return 3 * r * r; } }; struct Both : Square { int extra = 3; using Square::Square; double area() const override { return Square::area() + extra; } };
int main() { Shape *all[] = {new Square(2), new Round(1), new Both(1)}; double sum = 0; for (Shape *s : all) { sum += s->area(); std::printf("%d ", dynamic_cast<Square *>(s) != nullptr); } std::printf("%g %s\n", sum, typeid(*all[2]).name()); for (Shape *s : all) delete s; double (Shape::*m)() const = &Shape::area; Both b(3); std::printf("%g\n", (b.*m)()); }
