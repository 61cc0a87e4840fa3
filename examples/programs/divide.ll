define double @divide(double %a, i32 %b) {
  %divisor = sitofp i32 %b to double
  %quotient = fdiv double %a, %divisor
  ret double %quotient
}
