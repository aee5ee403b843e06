-- SPDX-License-Identifier: MIT
-- The tables of a database and what they point to, as a drawing: a table stands to the right of those that it points to.

local M = {}

local ROW, HEAD, WIDTH_OF_CHARACTER, GAP_X, GAP_Y, MAX_DEPTH = 18, 24, 7.3, 70, 26, 12

local function each_key(relations, visit)
  for _, entry in ipairs(relations.list) do
    for _, key in ipairs(entry.table.foreign_keys or {}) do
      local to = relations.by_key[key.key]
      if to and not key.missing and not entry.hidden then visit(entry, to, key) end
    end
  end
end

---How many keys lead one behind the other to the farthest table; circles are cut at MAX_DEPTH.
local function depths_of(relations)
  local depth, changed = {}, true
  for _, entry in ipairs(relations.list) do depth[entry] = 0 end
  for _ = 1, MAX_DEPTH do
    if not changed then break end
    changed = false
    each_key(relations, function(from, to)
      if from ~= to and depth[from] <= depth[to] then depth[from], changed = math.min(depth[to] + 1, MAX_DEPTH), true end
    end)
  end
  return depth
end

local function box_of(entry)
  local t = entry.table
  local box = { title = table.concat(entry.names, ", "), name = t.key, columns = {}, place = {} }
  local longest = utf8.len(box.title ~= "" and box.title or t.key) or 20
  for i, column in ipairs(t.columns) do
    local text = column.name .. "  " .. (column.type or "")
    box.columns[i] = { name = column.name, type = column.type, key = column.key, y = HEAD + i * ROW - 5 }
    box.place[column.name] = HEAD + i * ROW - ROW / 2
    longest = math.max(longest, utf8.len(text) or 20)
  end
  if box.title == "" then box.title = t.key end
  box.width, box.height = longest * WIDTH_OF_CHARACTER + 20, HEAD + #t.columns * ROW + 8
  return box
end

---Puts the boxes of one depth below each other, and the depths beside each other.
local function place(boxes, depth, list)
  local columns, x = {}, 0
  for _, entry in ipairs(list) do
    local at = depth[entry]
    columns[at] = columns[at] or { width = 0, height = 0 }
    local column, box = columns[at], boxes[entry]
    box.y = column.height
    column.height = column.height + box.height + GAP_Y
    column.width = math.max(column.width, box.width)
    table.insert(column, box)
  end
  local height = 0
  for at = 0, MAX_DEPTH do
    local column = columns[at] or { width = -GAP_X, height = 0 }
    for _, box in ipairs(column) do box.x = x end
    x, height = x + column.width + GAP_X, math.max(height, column.height)
  end
  return x, height
end

---A curve from the column of a key to what it points to: from its left to the other's right, or, where that is not to
---the left, around on the right.
local function curve(from, to, key)
  local y1 = from.y + (from.place[key.columns[1]] or HEAD / 2)
  local y2 = to.y + (to.place[key.target and key.target[1]] or HEAD / 2)
  local x1, x2, bend = from.x, to.x + to.width, GAP_X / 2
  local bend1, bend2 = x1 - bend, x2 + bend
  if to.x >= from.x then
    x1 = from.x + from.width
    bend1 = math.max(x1, x2) + bend
    bend2 = bend1
  end
  return ("M%.0f,%.0f C%.0f,%.0f %.0f,%.0f %.0f,%.0f"):format(x1, y1, bend1, y1, bend2, y2, x2, y2)
end

---@param relations weft.Relations
---@return { width: number, height: number, boxes: table[], lines: table[] }
function M.draw(relations)
  local boxes, drawn, lines = {}, {}, {}
  local shown = {}
  for _, entry in ipairs(relations.list) do
    if not entry.hidden then
      shown[#shown + 1] = entry
      boxes[entry] = box_of(entry)
      drawn[#drawn + 1] = boxes[entry]
    end
  end
  local width, height = place(boxes, depths_of(relations), shown)
  each_key(relations, function(from, to, key)
    lines[#lines + 1] = { path = curve(boxes[from], boxes[to], key),
      text = ("%s.%s → %s"):format(from.table.key, table.concat(key.columns, ", "), to.table.key) }
  end)
  return { width = width, height = height, boxes = drawn, lines = lines }
end

return M
