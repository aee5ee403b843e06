-- SPDX-License-Identifier: MIT
local weft = require "weft"

weft.database "memory":script [[
  create table things (thing_id integer primary key, name varchar(20) not null unique, price numeric(10,2));
  insert into things values (1, 'one', 1.10), (2, 'two', null)]]
