-- SPDX-License-Identifier: MIT
-- A table `t` that holds numbers, for specs about what is written and what is seen.

local M = {}

M.schema = {
  sqlite = "create table t (id integer primary key, n integer); create table other (id integer primary key)",
  postgres = "create table t (id serial primary key, n integer); create table other (id serial primary key)",
  mysql = "create table t (id integer auto_increment primary key, n integer); create table other (id integer auto_increment primary key)",
}

---@param current fun(): weft.Database the database of the running spec
---@return fun(n: integer): integer insert
---@return fun(): integer[] numbers in the order in which they were written
function M.of(current)
  local function insert(n) return current():execute("insert into t (n) values (?)", n).affected end
  local function numbers()
    local list = {}
    for i, row in ipairs(current():query "select n from t order by id") do list[i] = row.n end
    return list
  end
  return insert, numbers
end

return M
