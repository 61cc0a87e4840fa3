-- Errors are longjmps of the interpreter's; coroutines switch inside of it.
print(pcall(error, "plain")); print(select(2, pcall(error, {code = 7})).code); print(select(2, pcall(error, "level", 2)))
print(pcall(function() local x = nil; return x.field end)); print(pcall(function() return 1 + {} end)); print(pcall(function() return #5 end))
print(xpcall(function() error("traced") end, function(m) return "handled: " .. m end)); print(select("#", pcall(function() return 1, 2, 3 end)))
local function deep(n) if n == 0 then error("bottom") end; return deep(n - 1) + 1 end print(pcall(deep, 150))
print(pcall(function() local function f() return f() + 1 end; return f() end) == false)
for i = 1, 3000 do pcall(error, i) end print("thrown")
local co = coroutine.create(function(a, b) local c = coroutine.yield(a + b); local d, e = coroutine.yield(c * 2); error("in coroutine " .. d .. e) end)
print(coroutine.resume(co, 1, 2)); print(coroutine.resume(co, 10)); print(coroutine.resume(co, "x", "y")); print(coroutine.status(co), coroutine.resume(co))
local gen = coroutine.wrap(function() for i = 1, 5 do coroutine.yield(i * i) end end) print(gen(), gen(), gen())
local function producer() return coroutine.create(function() for _, w in ipairs{"a", "b", "c"} do coroutine.yield(w) end end) end
local p = producer(); while true do local ok, v = coroutine.resume(p); if not v then break end io.write(v, " ") end print(coroutine.status(p))
print(coroutine.isyieldable(), coroutine.running()  ~= nil, pcall(coroutine.yield)); local c2 = coroutine.wrap(function() return pcall(function() coroutine.yield(1); error("after") end) end) print(c2()); print(c2())
local t = setmetatable({}, {__gc = function() io.write("collected ") end}); t = nil; collectgarbage("collect"); print()
local closed = {} ; do local ok, e = pcall(function() local x <close> = setmetatable({}, {__close = function(_, err) closed[#closed + 1] = tostring(err) end}); error("closing") end) print(ok, e, closed[1]) end
error(setmetatable({}, {__tostring = function() return "last words" end}))
