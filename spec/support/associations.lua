-- SPDX-License-Identifier: MIT
-- Discovered associations as text, one line each, for specs.

local associations = {}

local function columns(mine, theirs)
  local parts = {}
  for i, column in ipairs(mine) do parts[i] = column .. "=" .. theirs[i] end
  return table.concat(parts, ",")
end

---"artist belongs_to artist artist_id=artist_id", with a ? where the key may be NULL.
local function line(entry)
  local keys
  if not entry.through then
    keys = columns(entry.source_key, entry.target_key)
  else
    keys = ("%s %s %s"):format(columns(entry.source_key, entry.through_source), entry.through,
      columns(entry.through_target, entry.target_key))
  end
  return ("%s %s %s %s%s"):format(entry.name, entry.type, entry.table, keys, entry.nullable and " ?" or "")
end

---Those of one table.
function associations.lines(list)
  local out = {}
  for i, entry in ipairs(list or {}) do out[i] = line(entry) end
  return out
end

---Those of all tables, by table.
function associations.all(found)
  local out = {}
  for name, list in pairs(found) do out[name] = associations.lines(list) end
  return out
end

return associations
