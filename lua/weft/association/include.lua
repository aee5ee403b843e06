-- SPDX-License-Identifier: MIT
-- Include trees: what query:include(...) says, merged into one tree per query, and compiled to the levels that
-- the core fetches. A tree is { names = sorted list, nodes = by name }, a node has its options and its own tree in
-- `below`; neither is changed once it is made, but for what was compiled of it (levels, level).

local core = require "weft.core"
local errors = require "weft.errors"
local association = require "weft.association"
local bind = require "weft.association.bind"
local naming = require "weft.naming"
local wiring = require "weft.association.wiring"

local M = {}

local function registry() return require "weft.registry" end

local MAX_DEPTH = 32

local options = { "where", "order", "select", "limit", "offset", "scope", "through", "include" }

---@class weft.IncludeSpec what weft.include returns: an association wired at run time, and what is included with it
local Spec = { __name = "weft.include" }
Spec.__index = Spec

-- ---- reading ----

local function check_count(what, value)
  if value ~= nil and (math.type(value) ~= "integer" or value < 0) then
    errors.usage("%s is a whole number, 0 or more", what)
  end
end

local function check_values(entry)
  check_count("include: limit", entry.limit)
  check_count("include: offset", entry.offset)
  if entry.select ~= nil and type(entry.select) ~= "string" and type(entry.select) ~= "table" then
    errors.usage("include: select is a list of columns")
  end
  if entry.scope ~= nil and type(entry.scope) ~= "string" and type(entry.scope) ~= "function" then
    errors.usage("include: scope is the name of a scope, or a function(query)")
  end
end

local function check_options(entry)
  local given = {}
  for key, value in pairs(entry) do
    if type(key) == "string" then given[key] = value end
  end
  errors.check_names(given, options, "option of include")
  check_values(entry)
  if entry.through ~= nil and entry.through ~= true and type(entry.through) ~= "string" then
    errors.usage("include: through is true, or the name under which each row gets the row in between")
  end
end

local function tree_of_nodes(nodes)
  local names = {}
  for name in pairs(nodes) do names[#names + 1] = name end
  table.sort(names)
  return { names = names, nodes = nodes }
end

local function copy(from)
  local to = {}
  for key, value in pairs(from or {}) do to[key] = value end
  return to
end

local merge

---Two nodes of one name as one; what b says goes before what a says.
local function merge_nodes(a, b)
  local node = copy(a)
  for key, value in pairs(b) do node[key] = value end
  node.below, node.level = merge(a.below, b.below), nil
  return node
end

function merge(a, b)
  if not a or not b then return a or b end
  local nodes = copy(a.nodes)
  for name, node in pairs(b.nodes) do nodes[name] = nodes[name] and merge_nodes(nodes[name], node) or node end
  return tree_of_nodes(nodes)
end

local read

local function nested(given, depth, seen)
  if given == nil then return nil end
  if type(given) == "string" or getmetatable(given) == Spec then return read(given, depth, seen) end
  if type(given) ~= "table" then errors.usage("include: include is a name or a list of them, not a %s", type(given)) end
  for key in pairs(given) do
    if type(key) == "string" then return read(given, depth, seen) end
  end
  if seen[given] then errors.usage("include: the tables form a cycle") end
  seen[given] = true
  local tree
  for _, entry in ipairs(given) do tree = merge(tree, read(entry, depth, seen)) end
  seen[given] = nil
  return tree
end

---The tree of a dotted path whose last node is `node`.
local function path(text, node)
  local names = {}
  for name in (text .. "."):gmatch "([^.]*)%." do
    if name == "" then errors.usage("include: '%s' is no path of associations", text) end
    names[#names + 1] = name
  end
  if #names > MAX_DEPTH then errors.usage("include: deeper than %d", MAX_DEPTH) end
  local tree
  for i = #names, 1, -1 do
    local inner = i == #names and node or { below = tree }
    inner.name = names[i]
    tree = { names = { names[i] }, nodes = { [names[i]] = inner } }
  end
  return tree
end

---Wires what weft.include defined, as often as it is used: associations may have been reset, databases configured
---anew.
local function wire(spec)
  association.add(core.info(registry().current(spec.from)), spec.name, spec.definition)
end

local function node_of_spec(spec, depth, seen)
  wire(spec)
  seen.specs[#seen.specs + 1] = spec
  local node = { from = core.info(spec.from).label, below = nested(spec.include, depth + 1, seen) }
  for _, key in ipairs { "select", "limit", "offset", "scope" } do node[key] = spec[key] end
  return spec.name, node
end

local function node_of_table(entry, depth, seen)
  if type(entry[1]) ~= "string" or #entry ~= 1 then
    errors.usage("include takes names of associations and tables as { \"reviews\", limit = 3 }")
  end
  check_options(entry)
  local node = copy(entry)
  node[1], node.include, node.below = nil, nil, nested(entry.include, depth + 1, seen)
  return entry[1], node
end

local function read_table(entry, depth, seen)
  if seen[entry] then errors.usage("include: the tables form a cycle") end
  if depth > MAX_DEPTH then errors.usage("include: deeper than %d, or a cycle", MAX_DEPTH) end
  seen[entry] = true
  local text, node = (getmetatable(entry) == Spec and node_of_spec or node_of_table)(entry, depth, seen)
  seen[entry] = nil
  return path(text, node)
end

function read(entry, depth, seen)
  if type(entry) == "string" then return path(entry, {}) end
  if type(entry) == "table" then return read_table(entry, depth, seen) end
  errors.usage("include takes names of associations and tables, not a %s", type(entry))
end

---Nodes of weft.include belong to the model that they were made for.
local function check_from(info, tree)
  for _, name in ipairs(tree.names) do
    local from = tree.nodes[name].from
    if from and from ~= info.label then
      errors.usage("include: '%s' is an association of %s, not of %s", name, from, info.label)
    end
  end
end

local remembered = setmetatable({}, { __mode = "k" }) -- model info -> text, or spec -> { tree, specs, revision }

---What is asked for in the same words, and with it what was compiled of it.
local function recall(info, entry)
  local known
  if type(entry) == "string" then known = remembered[info] and remembered[info][entry] else known = remembered[entry] end
  for _, spec in ipairs(known and known.specs or {}) do wire(spec) end
  return known and known.revision == association.revision and known.tree
end

local function remember(info, entry, tree, specs)
  local known = { tree = tree, specs = specs, revision = association.revision }
  if type(entry) == "string" then
    remembered[info] = remembered[info] or {}
    remembered[info][entry] = known
  elseif getmetatable(entry) == Spec then
    remembered[entry] = known
  end
end

local function tree_of(info, entry)
  local tree = recall(info, entry)
  if not tree then
    local specs = {}
    tree = read(entry, 1, { specs = specs })
    remember(info, entry, tree, specs)
  end
  check_from(info, tree)
  return tree
end

---A name that no association has is refused at once where all of them are known.
local function check_known(info, tree)
  if not core.complete(info.core) then return end
  for _, name in ipairs(tree.names) do
    if not info.associations[name] then association.get(info, name) end
  end
end

---The rows of associations come with the rows of the query: one more statement for each, or all of them in one
---round trip where the database can. Names may be paths ("variants.images"); a table has options, which
---hold for each parent: where, order, select, limit, offset, scope, include.
---@param self weft.Query
---@param ... string|weft.IncludeOptions|weft.IncludeSpec
---@return weft.Query
function M.add(self, ...)
  local info = core.info(self)
  local n = select("#", ...)
  if n == 0 then errors.usage("include takes names of associations") end
  local tree = core.included(self)
  for i = 1, n do
    local more = tree_of(info, (select(i, ...)))
    check_known(info, more)
    tree = merge(tree, more)
  end
  return core.with(self, tree)
end

-- ---- compiling ----

local function wrong_order() errors.usage("order is a column, { column, direction } or a list of those") end

---The query in an order that is said as associations say theirs.
---@param query weft.Query
---@param order weft.Order
---@return weft.Query
function M.ordered(query, order)
  if type(order) == "string" then return query:order(order) end
  if type(order) ~= "table" or order[1] == nil then wrong_order() end
  local second = order[2]
  if type(order[1]) == "string" and (second == nil or second == "asc" or second == "desc") then
    return query:order(order[1], second, order[3])
  end
  for _, one in ipairs(order) do query = M.ordered(query, one) end
  return query
end

---The query with a scope of its model, by its name or as a function.
local function apply_scope(query, scope)
  local info = core.info(query)
  local fn = type(scope) == "function" and scope or info.scopes[scope]
  if not fn then
    local names = {}
    for name in pairs(info.scopes) do names[#names + 1] = name end
    local near = core.nearest(scope, names)
    errors.usage("include: %s has no scope '%s'%s", info.label, scope, near and ("; did you mean '%s'?"):format(near) or "")
  end
  local result = fn(query)
  if not core.is_query(result) or core.info(result) ~= info then errors.usage("include: a scope returns a query of %s", info.label) end
  return result
end

---The query of one level with what is included below it, without keys.
local function level_query(entry, node)
  local definition = entry.definition
  local query = entry.to
  if definition.where then query = query:where(definition.where) end
  if node.where then query = query:where(node.where) end
  if node.scope then query = apply_scope(query, node.scope) end
  local order = node.order or definition.order
  if order then query = M.ordered(query, order) end
  if node.select then query = query:select(node.select) end
  return core.with(query, merge(core.included(query), node.below))
end

local compile

---A query as it runs, the levels below it, and who is told of its rows. May wait.
local function ready(query, seen)
  local now, after = bind.hooked(query, seen)
  local tree = core.included(now)
  now = bind.names(core.with(now, nil), seen)
  local below = tree and compile(core.info(now), tree, seen) or { names = {} }
  core.discover(now) -- it may have been forgotten since it was wired
  return now, below, after
end

---Rows through a table whose other end is elsewhere: the rows in between lead to those.
local function level_through(entry, node, inner, seen)
  local between = ready(entry.through, seen)
  return core.level(between, entry.name, true, { inner }, entry.hops[1], nil,
    { passed = true, limit = node.limit, offset = node.offset })
end

---What tells the rows in between apart: their primary key; the keys of both ends where those are unique, or where there
---is no other. Columns above, columns asked for, and how many of those above are of the table in between.
local function between_keys(entry)
  local ends = {}
  for _, list in ipairs { entry.near, entry.far } do
    for _, column in ipairs(list) do ends[column] = true end
  end
  local key = core.table(entry.through).key
  for _, column in ipairs(key) do
    if not ends[column] then return key, key, #key end
  end
  return table.move(entry.target, 1, #entry.target, #entry.near + 1, { table.unpack(entry.near) }),
    table.move(entry.far, 1, #entry.far, #entry.near + 1, { table.unpack(entry.near) }), #entry.near
end

---The row in between of each row of a many_to_many, as one more level in its place among those below.
local function add_between(entry, node, below, seen)
  if not entry.between then
    errors.usage("include: '%s' has no row in between that one statement could bring: through is for many_to_many "
      .. "within one database", entry.name)
  end
  local name = node.through ~= true and node.through or naming.singular(naming.snake_case(core.table(entry.through).name))
  local query, inner, after = ready(entry.through, seen)
  local above, asked, n = between_keys(entry)
  local level = core.level(query, name, false, inner, above, asked, { between = n, after = after })
  local at = 1
  while below.names[at] and below.names[at] < name do at = at + 1 end
  table.insert(below, at, level)
  table.insert(below.names, at, name)
end

local function make_level(info, node, seen)
  local entry = association.get(info, node.name)
  if node.scope then seen[#seen + 1] = true end -- it may look at the clock
  local query, below, after = ready(level_query(entry, node), seen)
  if node.through then add_between(entry, node, below, seen) end
  if entry.through and not entry.between then
    local inner = core.level(query, entry.name, false, below, entry.hops[2], nil, { chunk = 1 << 30, after = after })
    return level_through(entry, node, inner, seen)
  end
  local limit = node.limit
  if entry.definition.type == "has_one" and entry.definition.order then limit = 1 end
  if limit then query = query:limit(limit) end
  if node.offset then query = query:offset(node.offset) end
  local guard = entry.between and core.info(entry.through).before_query and ready(entry.through, seen)
  return core.level(query, entry.name, entry.many, below, entry.hops[1], entry.between, { after = after, guard = guard })
end

---The level of a node, made once unless it holds for now only.
local function level_of(info, node, seen)
  if node.level and node.revision == association.revision and core.fresh(node.level) then return node.level end
  local before, revision = #seen, association.revision
  local level = make_level(info, node, seen)
  if #seen == before then node.level, node.revision = level, revision end
  return level
end

---Levels of a tree in the order of their names. May wait.
function compile(info, tree, seen)
  local list = { names = { table.unpack(tree.names) } }
  core.discover(info.core)
  for i, name in ipairs(tree.names) do list[i] = level_of(info, tree.nodes[name], seen) end
  return list
end

---The query with its names looked up, and the levels of what it includes, or nil. May wait.
local function prepare_once(info, query)
  local seen = {} -- what holds for this one run: keys from other databases, answers of hooks
  core.discover(query)
  local bound = bind.names(query, seen)
  local tree = core.included(bound)
  if not tree then return bound end
  local levels = core.levels(compile(info, tree, seen))
  if next(seen) then
    return core.with(bound, { names = tree.names, nodes = tree.nodes, levels = levels }), levels
  end
  tree.levels = levels
  return bound, levels
end

---The query with its names looked up and its includes compiled. Other tasks' DDL or failures may come in between;
---then it is done again, but not for ever: levels of older tables can be run as well. May wait.
---@param query weft.Query
---@return weft.Query
function M.prepare(query)
  local info = core.info(query)
  local bound, levels
  for _ = 1, 3 do
    bound, levels = prepare_once(info, query)
    if not levels or core.fresh(levels) then break end
  end
  core.discover(query)
  return bound
end

-- ---- at run time ----

local spec_options = { "from", "to", "as", "type", "foreign_key", "source_key", "target_key", "through", "other_key", "order",
  "where", "select", "limit", "offset", "scope", "include" }
local definition_options = { "foreign_key", "source_key", "target_key", "through", "other_key", "order", "where" }

local kinds = { "has_many", "has_one", "belongs_to", "many_to_many" }

local function model_given(what, value)
  if core.is_query(value) then return registry().current(value) end
  local database, model
  if type(value) == "string" then database, model = value:match "^([^.]+)%.(.+)$" end
  if not database then errors.usage("%s is a model, or its name as \"database.Model\"", what) end
  return registry().models(database)[model]
end

local function default_name(to, kind)
  local word = naming.snake_case(core.info(to).label:match "[^.]*$")
  return wiring.many[kind] and naming.plural(naming.singular(word)) or word
end

---Wires an association at run time, once, however often it is said; returns what query:include takes, which may be held:
---it is wired again after a reset and on databases that were configured anew.
---@param spec weft.RuntimeInclude
---@return weft.IncludeSpec
function M.include(spec)
  if type(spec) ~= "table" then errors.usage("include takes a table, as { from = Product, to = Variant, type = \"has_many\" }") end
  errors.check_names(spec, spec_options, "option of include")
  local from, to = model_given("include: from", spec.from), model_given("include: to", spec.to)
  local kind = spec.type or "has_many"
  errors.check_names({ [kind] = true }, kinds, "type of association")
  local name = spec.as or default_name(to, kind)
  if type(name) ~= "string" or name == "" or name:find("[.%z]") then errors.usage("include: as is a name without dots") end
  check_values(spec)
  local given = { model = to }
  for _, key in ipairs(definition_options) do given[key] = spec[key] end
  local made = setmetatable({ name = name, from = from, definition = association.define(kind, given), include = spec.include,
    select = spec.select, limit = spec.limit, offset = spec.offset, scope = spec.scope }, Spec)
  wire(made)
  return made
end

---The level of a cross_join: rows of a model below any rows that have such keys, or those of a model. May wait.
function M.level_on(spec, of, key, foreign_key)
  local model = model_given("cross_join: model", spec.model)
  core.discover(model)
  local query, below, after = ready(level_query({ to = model, definition = {} }, spec), {})
  if spec.limit then
    check_count("cross_join: limit", spec.limit)
    query = query:limit(spec.limit)
  end
  return core.level(query, spec.as, spec.many == true, below, key, foreign_key, { chunk = spec.batch_size, after = after, of = of })
end

---Levels for what one association gives below any rows of its model.
function M.levels_for(info, entry)
  local seen = {}
  local levels = core.levels { level_of(info, { name = entry.name }, seen) }
  if next(seen) == nil then entry.levels = levels end
  return levels
end

return M
