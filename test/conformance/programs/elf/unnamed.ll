; flags: -w
@0 = private unnamed_addr constant [7 x i8] c"%d %d\0A\00"
@1 = internal global i32 3
@2 = global i32 4
declare i32 @printf(i8*, ...)
define internal i32 @3(i32 %x) {
  %v = load i32, i32* @1
  %n = add i32 %v, %x
  store i32 %n, i32* @1
  ret i32 %n
}
define i32 @4(i32 %x) {
  %v = load i32, i32* @2
  %r = call i32 @3(i32 %v)
  %s = add i32 %r, %x
  ret i32 %s
}
@table = internal global [2 x i32 (i32)*] [i32 (i32)* @3, i32 (i32)* @4]
define i32 @main() {
  %p = getelementptr [2 x i32 (i32)*], [2 x i32 (i32)*]* @table, i64 0, i64 1
  %f = load i32 (i32)*, i32 (i32)** %p
  %a = call i32 %f(i32 100)
  %b = call i32 @3(i32 1)
  %c = call i32 (i8*, ...) @printf(i8* getelementptr ([7 x i8], [7 x i8]* @0, i64 0, i64 0), i32 %a, i32 %b)
  ret i32 0
}
