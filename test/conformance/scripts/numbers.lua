-- Loops that make an interpreter hot: a sieve, matrices, queens, n-body, a hash of strings.
local n, sieve, count = 20000, {}, 0
for i = 2, n do if not sieve[i] then count = count + 1; for j = i * i, n, i do sieve[j] = true end end end print(count)
local function mul(a, b, n) local c = {}; for i = 1, n do c[i] = {}; for j = 1, n do local s = 0; for k = 1, n do s = s + a[i][k] * b[k][j] end; c[i][j] = s end end return c end
local m = {}; for i = 1, 30 do m[i] = {}; for j = 1, 30 do m[i][j] = (i * j) % 7 end end; local r = mul(m, mul(m, m, 30), 30); print(r[1][1], r[30][30])
local solutions = 0; local function place(row, cols, d1, d2, N) if row > N then solutions = solutions + 1 return end for c = 1, N do if not cols[c] and not d1[row + c] and not d2[row - c] then cols[c], d1[row + c], d2[row - c] = true, true, true; place(row + 1, cols, d1, d2, N); cols[c], d1[row + c], d2[row - c] = nil, nil, nil end end end
place(1, {}, {}, {}, 7); print(solutions)
local x, v = 1.0, 0.0; for i = 1, 50000 do local a = -x; v = v + a * 0.001; x = x + v * 0.001 end print(string.format("%.12f %.12f", x, v))
local h = 5381; for i = 1, 20000 do h = (h * 33 + i) & 0xffffffff end print(h)
local parts = {}; for i = 1, 5000 do parts[#parts + 1] = tostring(i * i) end local s = table.concat(parts); print(#s, s:sub(-20))
local memo = {}; local function fib(n) if n < 2 then return n end local k = memo[n]; if k then return k end k = fib(n - 1) + fib(n - 2); memo[n] = k; return k end print(fib(90))
local function f(n) if n < 2 then return n end return f(n - 1) + f(n - 2) end print(f(24)); print(math.sin(1), math.exp(1), math.log(2), math.sqrt(2), math.floor(-1.5), math.fmod(7, 3), math.tointeger(3.0), math.ult(1, -1))
for line in io.lines() do print("read " .. line) end
