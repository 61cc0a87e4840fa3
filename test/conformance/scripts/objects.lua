-- Classes, closures, varargs, metatables, integers and floats, sorting, goto.
local Account = {}; Account.__index = Account
function Account.new(b) return setmetatable({balance = b}, Account) end
function Account:deposit(v) self.balance = self.balance + v; return self end
Account.__add = function(a, b) return Account.new(a.balance + b.balance) end
Account.__tostring = function(a) return "Account(" .. a.balance .. ")" end
Account.__eq = function(a, b) return a.balance == b.balance end
Account.__lt = function(a, b) return a.balance < b.balance end
Account.__call = function(self, x) return self.balance * x end
Account.__close = function() print("closed") end
local a, b = Account.new(10), Account.new(5.5)
print(tostring(a + b), a == Account.new(10), b < a, a(3), a:deposit(7).balance)
do local c <close> = Account.new(1); local k <const> = 3; print(k) end
local function va(...) local n = select("#", ...); return n, (select(2, ...)), table.pack(...).n end
print(va(1, nil, 3)); print(math.type(1), math.type(1.0), 7 // 2, 7 % -3, -7 // 2, 7 / 2, 2 ^ 10, 1 << 62, 5 // 0.0, 3 | 8, ~0)
print(math.maxinteger + 1 == math.mininteger, 1e15, 0x1p4, 10 // 3.0, "10" + 5, 1e100, 2^53, -0.0)
local t = {}; for i = 1, 50 do t[i] = (i * 37) % 53 end; table.sort(t); print(table.concat(t, " "))
table.sort(t, function(x, y) return x > y end); print(t[1], t[50], #t, table.unpack(t, 1, 3))
print(pcall(table.sort, {3, 1, "x"})); table.move(t, 1, 5, 2); print(t[2], t[6]); table.insert(t, 1, "first"); print(table.remove(t, 1), #t)
local counter = (function() local n = 0; return function() n = n + 1; return n end end)(); counter(); print(counter(), counter())
for i = 1, 3 do for j = 1, 3 do if j == 2 then goto continue end; io.write(i, ",", j, " ") ::continue:: end end print()
local proxy = setmetatable({}, {__index = function(_, k) return k .. "?" end, __newindex = function(_, k, v) rawset(_, k, v * 2) end, __len = function() return 99 end})
proxy.x = 4; print(proxy.x, proxy.y, #proxy); local weak = setmetatable({}, {__mode = "k"}); weak[{}] = 1; collectgarbage(); print(next(weak))
