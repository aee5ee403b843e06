-- SPDX-License-Identifier: MIT
-- A database of many tables as SQL text: 10 columns, 2 foreign keys, 3 indexes each.

local words = {
  postgres = { id = "bigint", at = "timestamptz" },
  sqlite = { id = "integer", at = "text" },
  mysql = { id = "bigint", at = "datetime(6)" },
}

local table_text = [[
create table %s (id %s primary key, a_id %s, b_id %s, name varchar(80) not null, price decimal(10,2) default 0,
  note varchar(200), at %s, flag boolean not null default false, kind varchar(20) default 'x', n integer%s);
create unique index u_%s on %s (name);
create index i_%s on %s (b_id, n);
create index t_%s on %s (at);
]]

local key_text = ",\n  foreign key (a_id) references %s (id), foreign key (b_id) references %s (id)"

local function name(i) return ("things_%04d"):format(i) end

---@param dialect "postgres"|"sqlite"|"mysql"
---@param n integer how many tables; the first two have no foreign keys
---@return string
return function(dialect, n)
  local types, out = words[dialect], { dialect == "mysql" and "" or "begin;" }
  for i = 1, n do
    local own, keys = name(i), i > 2 and key_text:format(name(i - 1), name(i * 7 % (i - 1) + 1)) or ""
    out[#out + 1] = table_text:format(own, types.id, types.id, types.id, types.at, keys, own, own, own, own, own, own)
  end
  out[#out + 1] = dialect == "mysql" and "" or "commit;"
  return table.concat(out, "\n")
end
