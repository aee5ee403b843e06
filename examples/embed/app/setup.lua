-- SPDX-License-Identifier: MIT
-- The tables, and something in them.
local weft = require "weft"

weft.database "warehouse":script [[
  create table items (item_id integer primary key, sku varchar(20) not null unique, stock integer not null);
  insert into items values (1, 'CHAIR', 12), (2, 'DESK', 1), (3, 'LAMP', 5)]]
