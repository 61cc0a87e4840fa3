local words = {}
local function counts(text)
  local found = {}
  for word in text:gmatch('%a+') do found[word] = (found[word] or 0) + 1 end
  return found
end
function words.count(text)
  local count = 0
  for _ in pairs(counts(text)) do count = count + 1 end
  return count
end
function words.most(text, limit)
  local found, order = counts(text), {}
  for word in pairs(found) do order[#order + 1] = word end
  table.sort(order, function(a, b) return found[a] == found[b] and a < b or found[a] > found[b] end)
  local at = 0
  return function()
    at = at + 1
    if at <= limit then return order[at], found[order[at]] end
  end
end
return words
