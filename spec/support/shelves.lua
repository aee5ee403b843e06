-- SPDX-License-Identifier: MIT
-- A small shop in two databases for specs about what models do beyond SQL where associations read and write:
-- products with variants and tags in one, their sellers and labels in the other.

local weft = require "weft"
local model = require "weft.model"

local M = {}

local here = [[
    create table products (id integer primary key, title text, seller_id integer, version integer, deleted_at %s);
    create table variants (id integer primary key, product_id integer, sku text, stock integer, updated_at %s, deleted_at %s);
    create table tags (id integer primary key, name text, hidden boolean);
    create table product_tags (product_id integer, tag_id integer, deleted_at %s, primary key (product_id, tag_id));
    create table product_labels (product_id integer, label_id integer, gone boolean not null default false,
      primary key (product_id, label_id));
    create table notes (id integer primary key, line text);]]
local there = [[
    create table sellers (id integer primary key, name text, active boolean not null, deleted_at %s);
    create table labels (id integer primary key, name text);]]

local function schema(text)
  local _, n = text:gsub("%%s", "")
  local function of(word) return text:format(table.unpack({ word, word, word, word }, 1, n)) end
  return { sqlite = of "datetime", postgres = of "timestamptz", mysql = of "timestamp(6) null" }
end

local filling = {
  [[delete from products; delete from variants; delete from tags; delete from product_tags; delete from product_labels;
    delete from notes;
    insert into products (id, title, seller_id, version) values (1, 'Lamp', 1, 1), (2, 'Chair', 2, 1), (3, 'Desk', null, 1);
    insert into variants (id, product_id, sku, stock) values (1, 1, 'L-1', 5), (2, 1, 'L-2', 0), (3, 2, 'C-1', 7);
    insert into tags (id, name, hidden) values (1, 'new', null), (2, 'old', false), (3, 'odd', true);
    insert into product_tags (product_id, tag_id) values (1, 1), (1, 2), (1, 3), (2, 3);
    insert into product_labels (product_id, label_id) values (1, 1), (1, 2), (2, 1);]],
  [[delete from sellers; delete from labels;
    insert into sellers (id, name, active) values (1, 'Ann', true), (2, 'Bob', false);
    insert into labels (id, name) values (1, 'eco'), (2, 'fair');]],
}

---@param backend table one of spec.support.backends
---@return table shelves with define, fill
function M.open(backend)
  local options = not backend.memory and { pool = { max = 4, wait = 20 } } or nil
  local db, name = backend.open(schema(here), options)
  local other, other_name = backend.open(schema(there), options)
  local shelves = { db = db, other = other, name = name, other_name = other_name }

  function shelves.fill()
    db:script(filling[1])
    other:script(filling[2])
  end

  ---A model of a table that needs no script.
  ---@param table_name string
  ---@param definition table
  function shelves.define(table_name, definition)
    local far = table_name == "sellers" or table_name == "labels"
    local class = table_name:gsub("s$", ""):gsub("^%l", string.upper)
    definition.table = table_name
    return model.bind(far and other or db, (far and other_name or name) .. "." .. class, weft.model(definition), { table_name }, {})
  end

  ---Models of all tables; what is given for a table adds to its definition.
  ---@param more? table<string, table>
  ---@return table<string, weft.Query>
  function shelves.models(more)
    more = more or {}
    local made = {}
    for _, table_name in ipairs { "variants", "tags", "sellers", "labels", "product_tags", "product_labels", "notes" } do
      made[table_name] = shelves.define(table_name, more[table_name] or {})
    end
    local definition = more.products or {}
    definition.associations = {
      variants = weft.has_many { model = made.variants, foreign_key = "product_id", order = "id" },
      seller = weft.belongs_to { model = made.sellers, foreign_key = "seller_id" },
      tags = weft.many_to_many { model = made.tags, through = made.product_tags, foreign_key = "product_id", other_key = "tag_id",
        order = "id" },
      labels = weft.many_to_many { model = made.labels, through = made.product_labels, foreign_key = "product_id",
        other_key = "label_id", order = "id" },
    }
    made.products = shelves.define("products", definition)
    return made
  end
  return shelves
end

return M
