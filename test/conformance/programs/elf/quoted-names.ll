; flags: -w
@"a name with spaces" = global i32 40
@0 = private unnamed_addr constant [4 x i8] c"%d\0A\00"
declare i32 @printf(i8*, ...)
define i32 @"f\22quoted$"(i32 %x) {
  %v = load i32, i32* @"a name with spaces"
  %r = add i32 %v, %x
  ret i32 %r
}
define internal i32 @1(i32 %x) {
  %r = call i32 @"f\22quoted$"(i32 %x)
  ret i32 %r
}
define i32 @main() {
  %r = call i32 @1(i32 2)
  %n = call i32 (i8*, ...) @printf(i8* getelementptr ([4 x i8], [4 x i8]* @0, i64 0, i64 0), i32 %r)
  ret i32 0
}
