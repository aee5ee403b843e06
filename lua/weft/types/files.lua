-- SPDX-License-Identifier: MIT
-- Type files on disk: what differs there, and making it as it should be. Only files that were written by `weft types`,
-- as their first line says, are ever changed or removed.

local core = require "weft.core"
local errors = require "weft.errors"
local types = require "weft.types"

local M = {}

local function read(path)
  local file = io.open(path, "rb")
  if not file then return nil end
  local text = file:read "a"
  file:close()
  return text
end

local function is_ours(text) return text ~= nil and text:sub(1, #types.MARK) == types.MARK end

---The parts that the file of a database lists.
local function parts_of(text)
  local list = {}
  for line in text:gmatch "[^\n]+" do
    if line:sub(1, #types.PART) == types.PART then list[#list + 1] = line:sub(#types.PART + 1)
    elseif line == "" or line:find "^%-%-%-@class" then break end
  end
  return list
end

---Files of earlier times that are not among those of now.
local function gone(out, names, wanted)
  local list = {}
  for _, name in ipairs(names) do
    local text = read(("%s/%s.lua"):format(out, name))
    if is_ours(text) then
      for _, path in ipairs { name .. ".lua", table.unpack(parts_of(text)) } do
        if not wanted[path] and not path:find("..", 1, true) and is_ours(read(out .. "/" .. path)) then list[#list + 1] = path end
      end
    end
  end
  return list
end

---@class weft.TypeChange
---@field path string below the folder
---@field what "new"|"changed"|"removed"
---@field text? string what it is to hold

---What is to be done so that a folder has these files.
---@param out string the folder
---@param files { path: string, text: string }[]
---@param names? string[] databases whose files may be removed (all that the folder has)
---@return weft.TypeChange[]
function M.changes(out, files, names)
  local wanted, list = {}, {}
  for _, file in ipairs(files) do
    wanted[file.path] = true
    local text = read(out .. "/" .. file.path)
    if text ~= file.text then
      if text and not is_ours(text) then
        errors.raise("usage", ("%s/%s was not written by `weft types`: move it away or give another --out"):format(out, file.path))
      end
      list[#list + 1] = { path = file.path, what = text and "changed" or "new", text = file.text }
    end
  end
  for _, path in ipairs(gone(out, names or core.scripts(out) or {}, wanted)) do list[#list + 1] = { path = path, what = "removed" } end
  return list
end

local function quoted(path) return "'" .. path:gsub("'", "'\\''") .. "'" end

local function write(path, text)
  local new = path .. ".new" -- so that nobody reads half a file
  local file, why = io.open(new, "wb")
  local ok = file and file:write(text) and file:close()
  if ok then ok, why = os.rename(new, path) end
  if not ok then
    os.remove(new)
    errors.raise("usage", ("%s cannot be written: %s"):format(path, why or "is the disk full?"))
  end
end

---Makes the folders of what is to be written, by one command.
local function make_folders(out, changes)
  local words, seen = {}, {}
  for _, change in ipairs(changes) do
    local folder = (out .. "/" .. change.path):match "^(.*)/"
    if change.text and not seen[folder] then
      seen[folder] = true
      words[#words + 1] = quoted(folder)
    end
  end
  if #words > 0 then os.execute("mkdir -p -- " .. table.concat(words, " ")) end
end

---A folder is removed when nothing is left in it.
local function remove(out, path)
  os.remove(out .. "/" .. path)
  local folder = path:match "^(.*)/"
  while folder do
    if not os.remove(out .. "/" .. folder) then break end
    folder = folder:match "^(.*)/"
  end
end

---Does it. The files of databases, which list the others, come last, so that what is cut off is taken up again.
---@param out string
---@param changes weft.TypeChange[]
function M.apply(out, changes)
  make_folders(out, changes)
  for _, last in ipairs { false, true } do
    for _, change in ipairs(changes) do
      if (change.path:find("/", 1, true) == nil) == last then
        if change.text then write(out .. "/" .. change.path, change.text) else remove(out, change.path) end
      end
    end
  end
end

return M
