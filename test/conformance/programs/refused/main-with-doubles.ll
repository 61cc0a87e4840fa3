; refused: BAD_ARGUMENT main is double(double)
define double @main(double %x) {
  ret double %x
}
