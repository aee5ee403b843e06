-- SPDX-License-Identifier: MIT
-- Type files: what databases have, as annotations that editors read (LuaCATS). Never required at run time.
--
-- A file is one database, or, where that is more than editors read, one schema of it, or one table; then the
-- file of the database lists the others. The same databases give the same bytes.

local database = require "weft.database"
local relations_of = require "weft.inspect.relations"
local text = require "weft.types.text"

local M = {}

---So many bytes a file has at most, if a table has no more by itself: lua-language-server skips files from 500 KB on.
M.MOST = 500000

---The beginning of a file that was written here.
M.MARK = "-- Written by `weft types` "

---The beginning of the lines that list the other files of a database.
M.PART = "-- part: "

-- Names ---------------------------------------------------------------------------------------

---The first of word, word_2 ... that is not taken.
local function claim(taken, word, fold)
  local free, n = word, 2
  while taken[fold and free:lower() or free] do free, n = word .. "_" .. n, n + 1 end
  taken[fold and free:lower() or free] = true
  return free
end

---Weft's own classes are weft.Something.
local function prefix_of(name) return name == "weft" and "weft_database" or name end

---Classes of a database, none twice.
local function name_classes(state)
  local taken = { models = true, database = true, enums = true }
  for _, entry in ipairs(state.relations.list) do
    local class = claim(taken, text.class(entry.table, entry.info and entry.names[1]))
    state.classes[entry] = state.prefix .. "." .. class
  end
  for _, enum in ipairs(state.schema:enums()) do
    local word = enum.key:gsub("[^%w_]+", "_")
    state.enums[enum.key] = ("%s.enums.%s"):format(state.prefix, claim(taken, word))
  end
end

local decimals = { string = "string", number = "number" }

---@param name string a configured database
local function read(name)
  local relations = relations_of.of(name)
  local state = { name = name, prefix = prefix_of(name), relations = relations, schema = database.database(name):schema(),
    classes = {}, enums = {}, decimals = decimals[database.option(name, "decimals")] }
  name_classes(state)
  return state
end

---The class of what an association leads to, in whichever of the databases.
local function target_of(states, state)
  return function(relation)
    if relation.to then return state.classes[relation.to] end
    local other, model = relation.label:match "^([^.]+)%.(.+)$"
    local there = states[other]
    local entry = there and there.relations:find(model)
    return entry and there.classes[entry] or "weft.Row"
  end
end

-- Texts ---------------------------------------------------------------------------------------

local function heading(state)
  return ("%sfrom %s: what is changed here is lost.\n---@meta\n-- luacheck: ignore\n"):format(M.MARK, state.name)
end

---The texts of all tables: { text, schema, name }.
local function blocks_of(states, state, step)
  local target, blocks, words = target_of(states, state), {}, text.words()
  for i, entry in ipairs(state.relations.list) do
    local class = { name = state.classes[entry], entry = entry, target = target, enums = state.enums, decimals = state.decimals,
      database = state.prefix, words = words }
    blocks[i] = { text = "\n" .. text.table(class), schema = entry.table.schema or "main", name = entry.table.name }
    step(entry.table.key)
  end
  return blocks
end

---What belongs to no table.
local function common_text(state)
  local parts = { "\n" .. text.database(state.name, state.prefix) }
  for _, enum in ipairs(state.schema:enums()) do parts[#parts + 1] = "\n" .. text.enum(state.enums[enum.key], enum) end
  return table.concat(parts)
end

-- Files ---------------------------------------------------------------------------------------

local function size_of(blocks)
  local size = 0
  for _, block in ipairs(blocks) do size = size + #block.text end
  return size
end

---Blocks by a field of theirs, in order.
local function grouped(blocks, field)
  local groups, by = {}, {}
  for _, block in ipairs(blocks) do
    local group = by[block[field]]
    if not group then
      group = { name = block[field] }
      by[block[field]] = group
      groups[#groups + 1] = group
    end
    group[#group + 1] = block
  end
  return groups
end

local function joined(blocks)
  local parts = {}
  for i, block in ipairs(blocks) do parts[i] = block.text end
  return table.concat(parts)
end

local LONGEST_NAME = 100 -- bytes of a file's name

---The name of a file or folder, which differs from the others in more than case.
local function file_name(taken, name)
  return claim(taken, (name:gsub("[^%w_-]+", "_"):sub(1, LONGEST_NAME)), true)
end

---Adds the files of a group of blocks: one, or one for each table.
local function add_group(files, state, folder, group, base)
  if #heading(state) + size_of(group) <= M.MOST then
    files[#files + 1] = { path = ("%s/%s.lua"):format(folder, base), text = heading(state) .. joined(group) }
    return
  end
  local taken = {}
  for _, block in ipairs(group) do
    local path = ("%s/%s/%s.lua"):format(folder, base, file_name(taken, block.name))
    files[#files + 1] = { path = path, text = heading(state) .. block.text }
  end
end

local function split(state, blocks)
  local files, taken, parts = {}, {}, {}
  for _, group in ipairs(grouped(blocks, "schema")) do add_group(files, state, state.name, group, file_name(taken, group.name)) end
  for i, file in ipairs(files) do parts[i] = M.PART .. file.path .. "\n" end
  table.insert(files, 1, { path = state.name .. ".lua", text = heading(state) .. table.concat(parts) .. common_text(state) })
  return files
end

---The files of one database.
local function files_of(states, state, step)
  local blocks, common = blocks_of(states, state, step), common_text(state)
  if #heading(state) + #common + size_of(blocks) > M.MOST then return split(state, blocks) end
  return { { path = state.name .. ".lua", text = heading(state) .. common .. joined(blocks) } }
end

local function nothing() end

---Databases that have been read, by name.
local function read_all(names)
  local states, total = {}, 0
  for _, name in ipairs(names) do
    states[name] = read(name)
    total = total + #states[name].relations.list
  end
  return states, total
end

---The type files of databases. May wait.
---@param names string[] configured databases; associations with others lead to weft.Row
---@param begin? fun(total: integer): fun(key: string) given the number of tables; what it returns is called at each of them
---@return { path: string, text: string }[] files
---@return { what: string, why: string }[] left_out
function M.files(names, begin)
  local files, left_out = {}, {}
  local states, total = read_all(names)
  local step = begin and begin(total) or nothing
  for _, name in ipairs(names) do
    for _, file in ipairs(files_of(states, states[name], step)) do files[#files + 1] = file end
    for _, list in ipairs { states[name].schema:left_out(), states[name].relations.left_out } do
      table.move(list, 1, #list, #left_out + 1, left_out)
    end
  end
  return files, left_out
end

return M
