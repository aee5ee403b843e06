-- SPDX-License-Identifier: MIT
-- Owners with pets, pets with toys, and in another database the towns they live in: for specs of what models
-- and their associations are called.

local weft = require "weft"
local shell = require "spec.support.shell"

local M = {}

M.schema = [[
  create table owners (owner_id integer primary key, name text, town_id text);
  create table pets (pet_id integer primary key, owner_id integer references owners, name text, age integer);
  create table toys (toy_id integer primary key, name text);
  create table pet_toys (pet_id integer references pets, toy_id integer references toys, primary key (pet_id, toy_id));
  insert into owners values (1, 'Ada', '7'), (2, 'Bob', '8'), (3, 'Eve', null);
  insert into pets values (1, 1, 'Rex', 3), (2, 1, 'Tom', 5), (3, 2, 'Kit', 1), (4, null, 'Stray', null);
  insert into toys values (1, 'ball'), (2, 'bone'), (3, 'string');
  insert into pet_toys values (1, 1), (1, 2), (2, 1), (3, 3);]]

local towns = [[
  create table towns (town_id integer primary key, name text, people integer);
  insert into towns values (7, 'Ulm', 126000), (8, 'Bern', 134000);]]

---A folder for scripts of models and services; weft.configure is told.
---@return fun(path: string, text: string) write
function M.folder()
  local folder = shell.must("mktemp -d"):gsub("%s+$", "")
  weft.configure { models = folder .. "/models", services = folder .. "/services" }
  local function write(path, text)
    local file = folder .. "/" .. path
    shell.must("mkdir -p " .. shell.quote(file:match "^(.*)/"))
    shell.write(file, 'local weft = require "weft"\n' .. text)
  end
  local function remove()
    weft.configure { models = "models", services = "services" }
    shell.run("rm -rf " .. shell.quote(folder))
  end
  return write, remove
end

---Both databases of a backend.
---@param backend table
---@param more? string further statements of the first one
function M.open(backend, more)
  local db, name = backend.open(M.schema .. (more or ""))
  local _, other = backend.open(towns)
  return { backend = backend, db = db, name = name, other = other, models = weft.models(name), towns = weft.models(other) }
end

---One field of rows, as text.
function M.each(rows, field)
  local list = {}
  for i, row in ipairs(rows) do list[i] = tostring(row[field]) end
  return table.concat(list, " ")
end

return M
