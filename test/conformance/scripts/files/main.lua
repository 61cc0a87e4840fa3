-- Reads files in all ways that Lua has, and writes some.
package.path = './?.lua'
local words = require('words')
local file <close> = assert(io.open(arg[1], 'rb'))
local text = file:read('a')
print(#text, words.count(text))
local lines = 0
for line in io.lines(arg[1]) do lines = lines + 1 end
file:seek('set', 10)
print(lines, file:read(8), file:seek())
local out = assert(io.open('out', 'w'))
for word, count in words.most(text, 20) do out:write(word, '\t', count, '\n') end
out:close()
local more = assert(io.open('out', 'a+'))
more:write('the end\n')
more:seek('set')
print(more:read('l'))
more:close()
print(os.rename('out', 'counted'), os.remove('words.lua'), io.open('out'))
print(pcall(dofile, 'missing.lua'))
local name = os.tmpname()
local temporary = assert(io.open(name, 'w'))
temporary:write('x')
temporary:close()
print(os.remove(name), io.open('/etc/nothing-there'))
