-- SPDX-License-Identifier: MIT
-- Files of a folder. A path leads to a file when every segment of it is a plain name and what it leads to, without
-- symbolic links, lies inside of the folder.

local core = require "weft.core"
local errors = require "weft.errors"
local url = require "weft.app.url"

local M = {}

local function check_options(folder, options)
  if type(folder) ~= "string" or folder == "" then errors.usage "static takes a prefix and a folder" end
  if type(options) ~= "table" then errors.usage("static: options are a table, as { max_age = 3600 }") end
  errors.check_names(options, { "max_age", "index" }, "option of static")
  local age, index = options.max_age, options.index
  if age ~= nil and (math.type(age) ~= "integer" or age < 0) then
    errors.usage "static: max_age is a whole number of seconds"
  end
  if index and (type(index) ~= "string" or index:find "[/\0]") then errors.usage "static: index is a file's name" end
end

---Whether each segment is a name that may be asked for: none is hidden, empty, or means something to somebody else.
local function is_plain(path)
  for segment in (path .. "/"):gmatch "([^/]*)/" do
    if segment == "" or segment:sub(1, 1) == "." or segment:find "[\\\0]" or segment:find "%%2[fF]" then return false end
  end
  return true
end

local function is_inside(path, folder)
  return path == folder or path:sub(1, #folder + 1) == (folder == "/" and "/" or folder .. "/")
end

---What a path below the folder leads to; nil: nothing, or something outside.
local function find(folder, path)
  local root = core.real_path(folder)
  local real = root and is_plain(path) and core.real_path(root .. "/" .. path)
  return real and is_inside(real, root) and real or nil
end

local function is_folder(path) return core.real_path(path .. "/.") ~= nil end

---Answers with the file that the rest of the path names.
---@param folder string
---@param options? { max_age?: integer, index?: string|false }
---@return fun(req: weft.Request, res: weft.Response): any
function M.handler(folder, options)
  options = options or {}
  check_options(folder, options)
  local index = options.index == nil and "index.html" or options.index
  return function(req, res)
    local rest = req.params["*"]
    if rest == "" or rest:sub(-1) == "/" then
      if not index then return 404 end
      rest = rest .. index
    end
    local path = find(folder, rest)
    if not path then return 404 end
    if is_folder(path) then return index and res:redirect(url.same_place(req, "", "/"), 308) or 404 end
    if options.max_age then res.headers["Cache-Control"] = ("public, max-age=%d"):format(options.max_age) end
    return res:file(path)
  end
end

return M
