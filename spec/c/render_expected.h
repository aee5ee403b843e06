/* SPDX-License-Identifier: MIT */
/* What each query of render_cases.h becomes in each dialect. */
#ifndef WEFT_SPEC_RENDER_EXPECTED_H
#define WEFT_SPEC_RENDER_EXPECTED_H

#include <stddef.h>

static const struct expected {
  const char *name, *postgres, *sqlite, *params;
  const char *sqlite_params; /* NULL: the same */
} expected[] = {
    {"rows",
     "select {rows} from `products`",
     "select {rows} from `products`",
     "",
     NULL},
    {"eq",
     "select {rows} from `products` where `price` = $1",
     "select {rows} from `products` where `price` = ?",
     "decimal 5",
     NULL},
    {"ne_text",
     "select {rows} from `products` where `title` <> $1",
     "select {rows} from `products` where `title` <> ?",
     "text a",
     NULL},
    {"order_ops",
     "select {rows} from `products` where `stock` < $1 and `stock` >= $2",
     "select {rows} from `products` where `stock` < ? and `stock` >= ?",
     "integer 3|integer 1",
     NULL},
    {"null_eq",
     "select {rows} from `products` where `sku` is null",
     "select {rows} from `products` where `sku` is null",
     "",
     NULL},
    {"null_ne",
     "select {rows} from `products` where `sku` is not null",
     "select {rows} from `products` where `sku` is not null",
     "",
     NULL},
    {"column_column",
     "select {rows} from `products` where `price` > `weight`",
     "select {rows} from `products` where `price` > `weight`",
     "",
     NULL},
    {"in_ints",
     "select {rows} from `products` where `seller_id` = any($1::integer[])",
     "select {rows} from `products` where `seller_id` in (select value from "
     "json_each(?))",
     "[integer 1, integer 2, integer 9]",
     NULL},
    {"in_text",
     "select {rows} from `products` where `title` = any($1::text[])",
     "select {rows} from `products` where `title` in (select value from "
     "json_each(?))",
     "[text it's, text \"q\"\\, text \xc3""\xa9""]",
     NULL},
    {"in_null",
     "select {rows} from `products` where `seller_id` = any($1::integer[]) "
     "or `seller_id` is null",
     "select {rows} from `products` where `seller_id` in (select value from "
     "json_each(?)) or `seller_id` is null",
     "[integer 1]",
     NULL},
    {"not_in_null",
     "select {rows} from `products` where `seller_id` <> all($1::integer[]) "
     "and `seller_id` is not null",
     "select {rows} from `products` where `seller_id` not in (select value "
     "from json_each(?)) and `seller_id` is not null",
     "[integer 1]",
     NULL},
    {"in_nothing",
     "select {rows} from `products` where false",
     "select {rows} from `products` where 0",
     "",
     NULL},
    {"not_in_nothing",
     "select {rows} from `products`",
     "select {rows} from `products`",
     "",
     NULL},
    {"not_in",
     "select {rows} from `products` where `stock` <> all($1::integer[])",
     "select {rows} from `products` where `stock` not in (select value from "
     "json_each(?))",
     "[integer 0]",
     NULL},
    {"in_prices",
     "select {rows} from `products` where `price` = any($1::numeric[])",
     "select {rows} from `products` where `price` in (select case type when "
     "'array' then json_extract(value, '$[0]') * 1.0 / json_extract(value, "
     "'$[1]') / json_extract(value, '$[2]') / json_extract(value, '$[3]') "
     "* json_extract(value, '$[4]') * json_extract(value, '$[5]') else value "
     "end from json_each(?))",
     "[decimal 0.1, decimal 7, decimal 19.99]",
     NULL},
    {"in_floats",
     "select {rows} from `products` where `weight` = any($1::double precision[])",
     "select {rows} from `products` where `weight` in (select case type "
     "when 'array' then json_extract(value, '$[0]') * 1.0 / json_extract(value, "
     "'$[1]') / json_extract(value, '$[2]') / json_extract(value, '$[3]') "
     "* json_extract(value, '$[4]') * json_extract(value, '$[5]') else value "
     "end from json_each(?))",
     "[float 0.1, float 2.5, float 1e+17, float -1e-30]",
     NULL},
    {"in_bytes",
     "select {rows} from `products` where `photo` = any($1::bytea[])",
     "select {rows} from `products` where `photo` in (select substr(?, json_extract(value, "
     "'$[0]'), json_extract(value, '$[1]')) from json_each(?))",
     "[bytes 610062, bytes , bytes ff]",
     "[bytes 610062, bytes , bytes ff]|[bytes 610062, bytes , bytes ff]"},
    {"in_bools",
     "select {rows} from `products` where `active` = any($1::boolean[])",
     "select {rows} from `products` where `active` in (select value from "
     "json_each(?))",
     "[boolean true]",
     NULL},
    {"in_raw",
     "select {rows} from `products` where `seller_id` in (select seller_id "
     "from products where stock > $1)",
     "select {rows} from `products` where `seller_id` in (select seller_id "
     "from products where stock > ?)",
     "integer 5",
     NULL},
    {"between_prices",
     "select {rows} from `products` where `price` between $1 and $2",
     "select {rows} from `products` where `price` between ? and ?",
     "decimal 1|decimal 9.99",
     NULL},
    {"like",
     "select {rows} from `products` where `title` like $1",
     "select {rows} from `products` where `title` like ?",
     "text A%",
     NULL},
    {"like_int",
     "select {rows} from `products` where `stock`::text like $1",
     "select {rows} from `products` where `stock` like ?",
     "text 1%",
     NULL},
    {"ilike",
     "select {rows} from `products` where `title` ilike $1",
     "select {rows} from `products` where `title` like ?",
     "text a%",
     NULL},
    {"begins",
     "select {rows} from `products` where `title` ^@ $1",
     "select {rows} from `products` where ifnull(substr(cast(`title` as "
     "blob), 1, length(cast(? as blob))), cast(`title` as blob)) = cast(? "
     "as blob)",
     "text A",
     "text A|text A"},
    {"ends",
     "select {rows} from `products` where right(`title`, length($1)) = $1",
     "select {rows} from `products` where ifnull(substr(cast(`title` as "
     "blob), length(cast(`title` as blob)) - length(cast(? as blob)) + 1), "
     "cast(`title` as blob)) = cast(? as blob)",
     "text s",
     "text s|text s"},
    {"contains",
     "select {rows} from `products` where strpos(`title`, $1) > 0",
     "select {rows} from `products` where instr(cast(`title` as blob), cast(? "
     "as blob)) > 0",
     "text pp",
     NULL},
    {"begins_empty",
     "select {rows} from `products` where `sku` ^@ $1",
     "select {rows} from `products` where ifnull(substr(cast(`sku` as blob), "
     "1, length(cast(? as blob))), cast(`sku` as blob)) = cast(? as blob)",
     "text ",
     "text |text "},
    {"ends_empty",
     "select {rows} from `products` where right(`sku`, length($1)) = $1",
     "select {rows} from `products` where ifnull(substr(cast(`sku` as blob), "
     "length(cast(`sku` as blob)) - length(cast(? as blob)) + 1), cast(`sku` "
     "as blob)) = cast(? as blob)",
     "text ",
     "text |text "},
    {"contains_empty",
     "select {rows} from `products` where strpos(`sku`, $1) > 0",
     "select {rows} from `products` where instr(cast(`sku` as blob), cast(? "
     "as blob)) > 0",
     "text ",
     NULL},
    {"begins_int",
     "select {rows} from `products` where `stock`::text ^@ $1",
     "select {rows} from `products` where ifnull(substr(cast(`stock` as "
     "blob), 1, length(cast(? as blob))), cast(`stock` as blob)) = cast(? "
     "as blob)",
     "text 1",
     "text 1|text 1"},
    {"begins_bytes",
     "select {rows} from `products` where substring(`photo` from 1 for length($1)) "
     "= $1",
     "select {rows} from `products` where ifnull(substr(cast(`photo` as "
     "blob), 1, length(cast(? as blob))), cast(`photo` as blob)) = cast(? "
     "as blob)",
     "bytes 61",
     "bytes 61|bytes 61"},
    {"ends_bytes",
     "select {rows} from `products` where substring(`photo` from greatest(length(`photo`) "
     "- length($1), 0) + 1) = $1",
     "select {rows} from `products` where ifnull(substr(cast(`photo` as "
     "blob), length(cast(`photo` as blob)) - length(cast(? as blob)) + 1), "
     "cast(`photo` as blob)) = cast(? as blob)",
     "bytes 0062",
     "bytes 0062|bytes 0062"},
    {"contains_bytes",
     "select {rows} from `products` where position($1 in `photo`) > 0",
     "select {rows} from `products` where instr(cast(`photo` as blob), cast(? "
     "as blob)) > 0",
     "bytes 00",
     NULL},
    {"logic",
     "select {rows} from `products` where (`price` < $1 or (`active` = $2 "
     "and `stock` > $3)) and not (`title` = $4)",
     "select {rows} from `products` where (`price` < ? or (`active` = ? "
     "and `stock` > ?)) and not (`title` = ?)",
     "decimal 5|boolean true|integer 0|text x",
     NULL},
    {"raw",
     "select {rows} from `products` where (price > $1 and stock > $2) and "
     "`seller_id` = $3",
     "select {rows} from `products` where (price > ? and stock > ?) and "
     "`seller_id` = ?",
     "integer 18|integer 0|integer 1",
     NULL},
    {"raw_comment",
     "select {rows} from `products` where (stock >= 0 -- '?'\n)",
     "select {rows} from `products` where (stock >= 0 -- '?'\n)",
     "",
     NULL},
    {"path_number",
     "select {rows} from `products` where (case when jsonb_typeof(`attrs` "
     "-> 'size') = 'number' then (`attrs` -> 'size')::numeric end) > $1",
     "select {rows} from `products` where (case when json_type(`attrs`, "
     "'$.size') in ('integer', 'real') then json_extract(`attrs`, '$.size') "
     "end) > ?",
     "decimal 3",
     "integer 3"},
    {"path_text",
     "select {rows} from `products` where (case when jsonb_typeof(`attrs` "
     "-> 'color') = 'string' then (`attrs` -> 'color') #>> '{}' end) = $1",
     "select {rows} from `products` where (case when json_type(`attrs`, "
     "'$.color') = 'text' then json_extract(`attrs`, '$.color') end) = ?",
     "text red",
     NULL},
    {"path_bool",
     "select {rows} from `products` where (case when jsonb_typeof(`attrs` "
     "-> 'ok') = 'boolean' then (`attrs` -> 'ok')::boolean end) = $1",
     "select {rows} from `products` where (case when json_type(`attrs`, "
     "'$.ok') in ('true', 'false') then json_extract(`attrs`, '$.ok') end) "
     "= ?",
     "boolean true",
     NULL},
    {"path_deep",
     "select {rows} from `products` where (case when jsonb_typeof(`attrs` "
     "-> 'items' -> 1 -> 'sku') = 'string' then (`attrs` -> 'items' -> 1 "
     "-> 'sku') #>> '{}' end) = $1",
     "select {rows} from `products` where (case when json_type(`attrs`, "
     "'$.items[1].sku') = 'text' then json_extract(`attrs`, '$.items[1].sku') "
     "end) = ?",
     "text b",
     NULL},
    {"path_odd",
     "select {rows} from `products` where (case when jsonb_typeof(`attrs` "
     "-> E'a.`b''\\\\' -> '\xc3""\xa9""') = 'number' then (`attrs` -> E'a.`b''\\\\' -> "
     "'\xc3""\xa9""')::numeric end) = $1",
     "select {rows} from `products` where (select case when weft_2.type "
     "in ('integer', 'real') then weft_2.value end from json_each(`products`.`attrs`) "
     "as weft_1, json_each(case when weft_1.type in ('object', 'array') "
     "then weft_1.value end) as weft_2 where weft_1.key = 'a.`b''\\' and "
     "weft_2.key = '\xc3""\xa9""' limit 1) = ?",
     "decimal 1",
     "integer 1"},
    {"path_last",
     "select {rows} from `products` where (case when jsonb_typeof(`attrs` "
     "-> 'list' -> -1) = 'number' then (`attrs` -> 'list' -> -1)::numeric "
     "end) = $1",
     "select {rows} from `products` where (case when json_type(`attrs`, "
     "'$.list[#-1]') in ('integer', 'real') then json_extract(`attrs`, '$.list[#-1]') "
     "end) = ?",
     "decimal 3",
     "integer 3"},
    {"path_in",
     "select {rows} from `products` where (case when jsonb_typeof(`attrs` "
     "-> 'color') = 'string' then (`attrs` -> 'color') #>> '{}' end) = any($1::text[])",
     "select {rows} from `products` where (case when json_type(`attrs`, "
     "'$.color') = 'text' then json_extract(`attrs`, '$.color') end) in "
     "(select value from json_each(?))",
     "[text red, text blue]",
     NULL},
    {"path_in_numbers",
     "select {rows} from `products` where (case when jsonb_typeof(`attrs` "
     "-> 'size') = 'number' then (`attrs` -> 'size')::numeric end) = any($1::numeric[])",
     "select {rows} from `products` where (case when json_type(`attrs`, "
     "'$.size') in ('integer', 'real') then json_extract(`attrs`, '$.size') "
     "end) in (select case type when 'array' then json_extract(value, '$[0]') "
     "* 1.0 / json_extract(value, '$[1]') / json_extract(value, '$[2]') "
     "/ json_extract(value, '$[3]') * json_extract(value, '$[4]') * json_extract(value, "
     "'$[5]') else value end from json_each(?))",
     "[decimal 4, decimal 2.5]",
     "[integer 4, float 2.5]"},
    {"path_null",
     "select {rows} from `products` where nullif(`attrs` -> 'none', 'null'::jsonb) "
     "is null",
     "select {rows} from `products` where json_extract(`attrs`, '$.none') "
     "is null",
     "",
     NULL},
    {"path_not_null",
     "select {rows} from `products` where nullif(`attrs` -> 'color', 'null'::jsonb) "
     "is not null",
     "select {rows} from `products` where json_extract(`attrs`, '$.color') "
     "is not null",
     "",
     NULL},
    {"path_like",
     "select {rows} from `products` where (case when jsonb_typeof(`attrs` "
     "-> 'color') = 'string' then (`attrs` -> 'color') #>> '{}' end) ^@ "
     "$1",
     "select {rows} from `products` where ifnull(substr(cast((case when "
     "json_type(`attrs`, '$.color') = 'text' then json_extract(`attrs`, "
     "'$.color') end) as blob), 1, length(cast(? as blob))), cast((case "
     "when json_type(`attrs`, '$.color') = 'text' then json_extract(`attrs`, "
     "'$.color') end) as blob)) = cast(? as blob)",
     "text r",
     "text r|text r"},
    {"path_between",
     "select {rows} from `products` where (case when jsonb_typeof(`attrs` "
     "-> 'size') = 'number' then (`attrs` -> 'size')::numeric end) between "
     "$1 and $2",
     "select {rows} from `products` where (case when json_type(`attrs`, "
     "'$.size') in ('integer', 'real') then json_extract(`attrs`, '$.size') "
     "end) between ? and ?",
     "decimal 1|decimal 4",
     "integer 1|integer 4"},
    {"path_select",
     "select `product_id`, nullif(`attrs` -> 'color', 'null'::jsonb) as "
     "`color`, nullif(`attrs` -> 'items' -> 0 -> 'sku', 'null'::jsonb) as "
     "`sku` from `products` order by nullif(`attrs` -> 'size', 'null'::jsonb) "
     "desc nulls last",
     "select `product_id`, json_extract(`attrs`, '$.color') as `color`, "
     "json_extract(`attrs`, '$.items[0].sku') as `sku` from `products` order "
     "by json_extract(`attrs`, '$.size') desc nulls last",
     "",
     NULL},
    {"selected",
     "select `product_id`, `title`, `price` as `cost` from `products`",
     "select `product_id`, `title`, `price` as `cost` from `products`",
     "",
     NULL},
    {"paged",
     "select {rows} from `products` order by `price` desc nulls last, `product_id` "
     "limit 2 offset $1",
     "select {rows} from `products` order by `price` desc nulls last, `product_id` "
     "limit 2 offset ?",
     "integer 1",
     NULL},
    {"offset_only",
     "select {rows} from `products` order by `product_id` nulls first offset "
     "$1",
     "select {rows} from `products` order by `product_id` nulls first limit "
     "-1 offset ?",
     "integer 3",
     NULL},
    {"distinct",
     "select distinct `seller_id` from `products`",
     "select distinct `seller_id` from `products`",
     "",
     NULL},
    {"grouped",
     "select `seller_id`, count(*) as `n`, sum(`price`) as `total`, max(`price`) "
     "as `price` from `products` group by `seller_id` having count(*) > "
     "$1 and max(`price`) < $2 order by `n` desc",
     "select `seller_id`, count(*) as `n`, sum(`price`) as `total`, max(`price`) "
     "as `price` from `products` group by `seller_id` having count(*) > "
     "? and max(`price`) < ? order by `n` desc",
     "integer 1|decimal 90",
     NULL},
    {"group_plain",
     "select `seller_id`, `active` from `products` group by `seller_id`, "
     "`active`",
     "select `seller_id`, `active` from `products` group by `seller_id`, "
     "`active`",
     "",
     NULL},
    {"group_adds",
     "select `active`, count(distinct `seller_id`) as `k`, avg(`stock`) "
     "as `avg` from `products` group by `active`",
     "select `active`, count(distinct `seller_id`) as `k`, avg(`stock`) "
     "as `avg` from `products` group by `active`",
     "",
     NULL},
    {"for_update",
     "select {rows} from `products` where `product_id` = $1 for update skip "
     "locked",
     "select {rows} from `products` where `product_id` = ?",
     "integer 1",
     NULL},
    {"locked_share",
     "select {rows} from `products` where `product_id` = $1 for no key update",
     "select {rows} from `products` where `product_id` = ?",
     "integer 1",
     NULL},
    {"count",
     "select count(*) as `count` from `products` where `stock` > $1",
     "select count(*) as `count` from `products` where `stock` > ?",
     "integer 0",
     NULL},
    {"count_false",
     "select count(*) as `count` from `products` where false",
     "select count(*) as `count` from `products` where 0",
     "",
     NULL},
    {"count_limit",
     "select count(*) as `count` from (select 1 from `products` limit 3 "
     "offset $1) as q",
     "select count(*) as `count` from (select 1 from `products` limit 3 "
     "offset ?) as q",
     "integer 1",
     NULL},
    {"count_distinct",
     "select count(*) as `count` from (select distinct `seller_id` from "
     "`products`) as q",
     "select count(*) as `count` from (select distinct `seller_id` from "
     "`products`) as q",
     "",
     NULL},
    {"count_groups",
     "select count(*) as `count` from (select 1 from `products` group by "
     "`seller_id` having count(*) > $1) as q",
     "select count(*) as `count` from (select 1 from `products` group by "
     "`seller_id` having count(*) > ?) as q",
     "integer 1",
     NULL},
    {"exists",
     "select exists(select 1 from `products` where `sku` = $1) as `exists`",
     "select exists(select 1 from `products` where `sku` = ?) as `exists`",
     "text S1",
     NULL},
    {"sum",
     "select sum(`price`) as `sum` from `products` where `stock` > $1",
     "select sum(`price`) as `sum` from `products` where `stock` > ?",
     "integer 0",
     NULL},
    {"max_limit",
     "select max(`x`) as `max` from (select `price` as `x` from `products` "
     "order by `product_id` limit 2) as q",
     "select max(`x`) as `max` from (select `price` as `x` from `products` "
     "order by `product_id` limit 2) as q",
     "",
     NULL},
    {"sum_distinct",
     "select sum(`stock`) as `sum` from (select distinct `stock` from `products`) "
     "as q",
     "select sum(`stock`) as `sum` from (select distinct `stock` from `products`) "
     "as q",
     "",
     NULL},
    {"sum_path",
     "select sum((case when jsonb_typeof(`attrs` -> 'size') = 'number' then "
     "(`attrs` -> 'size')::numeric end)) as `sum` from `products`",
     "select sum((case when json_type(`attrs`, '$.size') in ('integer', "
     "'real') then json_extract(`attrs`, '$.size') end)) as `sum` from `products`",
     "",
     NULL},
    {"create",
     "insert into `products` (`product_id`, `title`, `price`, `stock`) values "
     "($1, $2, $3, $4) returning {stored}",
     "insert into `products` (`product_id`, `title`, `price`, `stock`) values "
     "(?, ?, ?, ?) returning {stored}",
     "integer 100|text new|decimal 1.50|integer 1",
     NULL},
    {"create_nothing",
     "insert into `products` default values returning {stored}",
     "insert into `products` default values returning {stored}",
     "",
     NULL},
    {"create_quiet",
     "insert into `products` (`product_id`, `title`, `stock`) values ($1, "
     "$2, $3)",
     "insert into `products` (`product_id`, `title`, `stock`) values (?, "
     "?, ?)",
     "integer 101|text q|integer 1",
     NULL},
    {"create_many",
     "insert into `products` (`product_id`, `title`, `price`, `stock`) select "
     "u.c1, u.c2, u.c3, u.c4 from unnest($1::bigint[], $2::text[], $3::numeric[], "
     "$4::integer[]) with ordinality as u(c1, c2, c3, c4, n) order by u.n "
     "returning {stored}",
     "insert into `products` (`product_id`, `title`, `price`, `stock`) values "
     "(?, ?, ?, ?) returning {stored}",
     "[integer 203, integer 202, integer 201]|[text c, text b, text a]|[decimal "
     "3.50, null, decimal 1]|[integer 1, integer 2, integer 3]",
     "integer 203|text c|decimal 3.50|integer 1|integer 202|text b|null|integer "
     "2|integer 201|text a|decimal 1|integer 3"},
    {"create_many_quiet",
     "insert into `products` (`product_id`, `title`, `stock`) select u.c1, "
     "u.c2, u.c3 from unnest($1::bigint[], $2::text[], $3::integer[]) as "
     "u(c1, c2, c3)",
     "insert into `products` (`product_id`, `title`, `stock`) values (?, "
     "?, ?)",
     "[integer 301, integer 302]|[text c, text b]|[integer 1, integer 1]",
     "integer 301|text c|integer 1|integer 302|text b|integer 1"},
    {"create_many_nothing",
     "insert into `products` select from generate_series(1, $1)",
     "insert into `products` default values",
     "integer 2",
     ""},
    {"upsert",
     "insert into `products` (`product_id`, `sku`, `title`, `stock`) values "
     "($1, $2, $3, $4) on conflict (`sku`) do update set `product_id` = "
     "excluded.`product_id`, `title` = excluded.`title`, `stock` = excluded.`stock` "
     "returning {stored}",
     "insert into `products` (`product_id`, `sku`, `title`, `stock`) values "
     "(?, ?, ?, ?) on conflict (`sku`) do update set `product_id` = excluded.`product_id`, "
     "`title` = excluded.`title`, `stock` = excluded.`stock` returning {stored}",
     "integer 400|text S1|text up|integer 4",
     NULL},
    {"upsert_key",
     "insert into `products` (`product_id`, `title`, `stock`) values ($1, "
     "$2, $3) on conflict (`product_id`) do update set `title` = excluded.`title`, "
     "`stock` = excluded.`stock` returning {stored}",
     "insert into `products` (`product_id`, `title`, `stock`) values (?, "
     "?, ?) on conflict (`product_id`) do update set `title` = excluded.`title`, "
     "`stock` = excluded.`stock` returning {stored}",
     "integer 1|text by key|integer 4",
     NULL},
    {"upsert_updates",
     "insert into `products` (`sku`, `title`, `stock`) values ($1, $2, $3) "
     "on conflict (`sku`) do update set `stock` = `products`.`stock` + $4, "
     "`title` = $5 returning {stored}",
     "insert into `products` (`sku`, `title`, `stock`) values (?, ?, ?) "
     "on conflict (`sku`) do update set `stock` = `products`.`stock` + ?, "
     "`title` = ? returning {stored}",
     "text S1|text up|integer 4|integer 10|text again",
     NULL},
    {"upsert_nothing",
     "insert into `products` (`sku`, `title`, `stock`) values ($1, $2, $3) "
     "on conflict (`sku`) do nothing returning {stored}",
     "insert into `products` (`sku`, `title`, `stock`) values (?, ?, ?) "
     "on conflict (`sku`) do nothing returning {stored}",
     "text S1|text up|integer 4",
     NULL},
    {"upsert_many",
     "insert into `products` (`sku`, `title`, `stock`) select u.c1, u.c2, "
     "u.c3 from unnest($1::varchar[], $2::text[], $3::integer[]) with ordinality "
     "as u(c1, c2, c3, n) order by u.n on conflict (`sku`) do update set "
     "`stock` = `products`.`stock` + $4 returning {stored}",
     "insert into `products` (`sku`, `title`, `stock`) values (?, ?, ?) "
     "on conflict (`sku`) do update set `stock` = `products`.`stock` + ? "
     "returning {stored}",
     "[text S1, text S900]|[text up, text down]|[integer 4, integer 5]|integer "
     "10",
     "text S1|text up|integer 4|integer 10|text S900|text down|integer 5|integer "
     "10"},
    {"update",
     "update `products` set `title` = $1, `stock` = `stock` + $2, `sku` "
     "= $3 where `product_id` = $4",
     "update `products` set `title` = ?, `stock` = `stock` + ?, `sku` = "
     "? where `product_id` = ?",
     "text t|integer -1|null|integer 1",
     NULL},
    {"update_all",
     "delete from `products`",
     "delete from `products`",
     "",
     NULL},
    {"update_limit",
     "update `products` set `stock` = $1 where `product_id` in (select `product_id` "
     "from `products` where `stock` > $2 order by `price` limit 1)",
     "update `products` set `stock` = ? where `product_id` in (select `product_id` "
     "from `products` where `stock` > ? order by `price` limit 1)",
     "integer 0|integer 0",
     NULL},
    {"update_raw",
     "update `products` set `stock` = (stock * $1) where (stock > $2)",
     "update `products` set `stock` = (stock * ?) where (stock > ?)",
     "integer 2|integer 1",
     NULL},
    {"delete_some",
     "delete from `products` where `product_id` = any($1::bigint[])",
     "delete from `products` where `product_id` in (select value from json_each(?))",
     "[integer 1, integer 2]",
     NULL},
    {"delete_said",
     "delete from `products`",
     "delete from `products`",
     "",
     NULL},
    {"some_row",
     "select {rows} from `products` where `price` > $1 and exists(select 1 from "
     "`product_variants` as `j1` where `j1`.`product_id` = `products`.`product_id` and "
     "`j1`.`created_at` is null and (`j1`.`stock` > $2 and `j1`.`sku` = $3))",
     "select {rows} from `products` where `price` > ? and exists(select 1 from "
     "`product_variants` as `j1` where `j1`.`product_id` = `products`.`product_id` and "
     "`j1`.`created_at` is null and (`j1`.`stock` > ? and `j1`.`sku` = ?))",
     "decimal 1|integer 3|text S",
     NULL},
    {"some_any",
     "select {rows} from `products` where exists(select 1 from `product_variants` as `j1` "
     "where `j1`.`product_id` = `products`.`product_id` and `j1`.`created_at` is null)",
     "select {rows} from `products` where exists(select 1 from `product_variants` as `j1` "
     "where `j1`.`product_id` = `products`.`product_id` and `j1`.`created_at` is null)",
     "",
     NULL},
    {"some_none",
     "select {rows} from `products` where not (exists(select 1 from `product_variants` as "
     "`j1` where `j1`.`product_id` = `products`.`product_id` and `j1`.`created_at` is null "
     "and (`j1`.`stock` = $1)))",
     "select {rows} from `products` where not (exists(select 1 from `product_variants` as "
     "`j1` where `j1`.`product_id` = `products`.`product_id` and `j1`.`created_at` is null "
     "and (`j1`.`stock` = ?)))",
     "integer 0",
     NULL},
    {"some_every",
     "select {rows} from `products` where not (exists(select 1 from `product_variants` as "
     "`j1` where `j1`.`product_id` = `products`.`product_id` and `j1`.`created_at` is null "
     "and ((`j1`.`stock` > $1) is not true)))",
     "select {rows} from `products` where not (exists(select 1 from `product_variants` as "
     "`j1` where `j1`.`product_id` = `products`.`product_id` and `j1`.`created_at` is null "
     "and ((`j1`.`stock` > ?) is not true)))",
     "integer 0",
     NULL},
    {"some_typed",
     "select {rows} from `products` where exists(select 1 from `product_variants` as `j1` "
     "where `j1`.`product_id` = `products`.`product_id` and `j1`.`created_at` is null and "
     "(`j1`.`stock` = any($1::integer[]) and `j1`.`title` ^@ $2 and ((case when "
     "jsonb_typeof(`j1`.`attrs` -> 'a b') = 'number' then (`j1`.`attrs` -> 'a b')::numeric "
     "end) = $3 or (case when jsonb_typeof(`j1`.`attrs` -> 'c') = 'string' then (`j1`.`attrs` "
     "-> 'c') #>> '{}' end) = any($4::text[]))))",
     "select {rows} from `products` where exists(select 1 from `product_variants` as `j1` "
     "where `j1`.`product_id` = `products`.`product_id` and `j1`.`created_at` is null and "
     "(`j1`.`stock` in (select value from json_each(?)) and ifnull(substr(cast(`j1`.`title` "
     "as blob), 1, length(cast(? as blob))), cast(`j1`.`title` as blob)) = cast(? as blob) "
     "and ((select case when weft_1.type in ('integer', 'real') then weft_1.value end from "
     "json_each(`j1`.`attrs`) as weft_1 where weft_1.key = 'a b' limit 1) = ? or (case when "
     "json_type(`j1`.`attrs`, '$.c') = 'text' then json_extract(`j1`.`attrs`, '$.c') end) in "
     "(select value from json_each(?)))))",
     "[integer 1]|text a|decimal 1|[text x]",
     "[integer 1]|text a|text a|integer 1|[text x]"},
    {"some_self",
     "select {rows} from `products` where exists(select 1 from `products` as `j1` where "
     "`j1`.`seller_id` = `products`.`product_id` and (exists(select 1 from `products` as `j2` "
     "where `j2`.`seller_id` = `j1`.`product_id` and (`j2`.`stock` < $1)))) and exists(select "
     "1 from `products` as `j3` where `j3`.`seller_id` = `products`.`product_id` and "
     "(`j3`.`price` < `j3`.`weight`))",
     "select {rows} from `products` where exists(select 1 from `products` as `j1` where "
     "`j1`.`seller_id` = `products`.`product_id` and (exists(select 1 from `products` as `j2` "
     "where `j2`.`seller_id` = `j1`.`product_id` and (`j2`.`stock` < ?)))) and exists(select "
     "1 from `products` as `j3` where `j3`.`seller_id` = `products`.`product_id` and "
     "(`j3`.`price` < `j3`.`weight`))",
     "integer 1",
     NULL},
    {"untrue_or",
     "select {rows} from `products` where (`sku` = $1 or `active`) is not true and `stock` = "
     "$2",
     "select {rows} from `products` where (`sku` = ? or `active`) is not true and `stock` = ?",
     "text a|integer 2",
     NULL},
    {"joined_rows",
     "select `products`.`product_id`, `products`.`seller_id`, `products`.`title`, "
     "`products`.`sku`, `products`.`price`, `products`.`weight`, `products`.`stock`, "
     "`products`.`active`, `products`.`attrs`, `products`.`photo`, `products`.`tags`, "
     "`products`.`created_at` from `products` join `product_variants` as `j1` on "
     "`j1`.`product_id` = `products`.`product_id` and `j1`.`created_at` is null where (case "
     "when jsonb_typeof(`products`.`attrs` -> 'a b') = 'number' then (`products`.`attrs` -> "
     "'a b')::numeric end) = $1 and `j1`.`sku` = any($2::varchar[])",
     "select `products`.`product_id`, `products`.`seller_id`, `products`.`title`, "
     "`products`.`sku`, `products`.`price`, `products`.`weight`, `products`.`stock`, "
     "`products`.`active`, `products`.`attrs`, `products`.`photo`, `products`.`tags`, "
     "`products`.`created_at` from `products` join `product_variants` as `j1` on "
     "`j1`.`product_id` = `products`.`product_id` and `j1`.`created_at` is null where (select "
     "case when weft_1.type in ('integer', 'real') then weft_1.value end from "
     "json_each(`products`.`attrs`) as weft_1 where weft_1.key = 'a b' limit 1) = ? and "
     "`j1`.`sku` in (select value from json_each(?))",
     "decimal 1|[text X]",
     "integer 1|[text X]"},
    {"joined_if",
     "select `products`.`title` from `products` left join `product_variants` as `j1` on "
     "`j1`.`product_id` = `products`.`product_id` and `j1`.`created_at` is null and "
     "(`j1`.`stock` = $1 and exists(select 1 from `products` as `j2` where `j2`.`seller_id` = "
     "`j1`.`product_id` and (`j2`.`sku` = $2))) where `products`.`stock` = $3",
     "select `products`.`title` from `products` left join `product_variants` as `j1` on "
     "`j1`.`product_id` = `products`.`product_id` and `j1`.`created_at` is null and "
     "(`j1`.`stock` = ? and exists(select 1 from `products` as `j2` where `j2`.`seller_id` = "
     "`j1`.`product_id` and (`j2`.`sku` = ?))) where `products`.`stock` = ?",
     "integer 1|text a|integer 2",
     NULL},
    {"joined_left",
     "select `products`.`title`, `j1`.`stock`, `j1`.`sku` as `code` from `products` left join "
     "`product_variants` as `j1` on `j1`.`product_id` = `products`.`product_id` and "
     "`j1`.`created_at` is null where `j1`.`sku` is null order by `code` desc",
     "select `products`.`title`, `j1`.`stock`, `j1`.`sku` as `code` from `products` left join "
     "`product_variants` as `j1` on `j1`.`product_id` = `products`.`product_id` and "
     "`j1`.`created_at` is null where `j1`.`sku` is null order by `code` desc",
     "",
     NULL},
    {"joined_deep",
     "select `j2`.`title` from `products` join `products` as `j1` on `j1`.`seller_id` = "
     "`products`.`product_id` join `products` as `j2` on `j2`.`seller_id` = `j1`.`product_id` "
     "where `j2`.`title` = $1 and exists(select 1 from `products` as `j3` where "
     "`j3`.`seller_id` = `products`.`product_id` and (`j3`.`title` = $2))",
     "select `j2`.`title` from `products` join `products` as `j1` on `j1`.`seller_id` = "
     "`products`.`product_id` join `products` as `j2` on `j2`.`seller_id` = `j1`.`product_id` "
     "where `j2`.`title` = ? and exists(select 1 from `products` as `j3` where "
     "`j3`.`seller_id` = `products`.`product_id` and (`j3`.`title` = ?))",
     "text a|text b",
     NULL},
    {"joined_groups",
     "select `products`.`title`, sum(`j1`.`price`) as `n` from `products` join "
     "`product_variants` as `j1` on `j1`.`product_id` = `products`.`product_id` and "
     "`j1`.`created_at` is null group by `products`.`title`, `j1`.`sku` having "
     "sum(`j1`.`price`) > $1 order by `j1`.`sku`",
     "select `products`.`title`, sum(`j1`.`price`) as `n` from `products` join "
     "`product_variants` as `j1` on `j1`.`product_id` = `products`.`product_id` and "
     "`j1`.`created_at` is null group by `products`.`title`, `j1`.`sku` having "
     "sum(`j1`.`price`) > ? order by `j1`.`sku`",
     "integer 3",
     NULL},
    {"joined_count",
     "select count(*) as `count` from `products` join `product_variants` as `j1` on "
     "`j1`.`product_id` = `products`.`product_id` and `j1`.`created_at` is null",
     "select count(*) as `count` from `products` join `product_variants` as `j1` on "
     "`j1`.`product_id` = `products`.`product_id` and `j1`.`created_at` is null",
     "",
     NULL},
    {"joined_sum",
     "select sum(`p`) as `sum` from (select distinct `j1`.`price` as `p` from `products` join "
     "`product_variants` as `j1` on `j1`.`product_id` = `products`.`product_id` and "
     "`j1`.`created_at` is null) as q",
     "select sum(`p`) as `sum` from (select distinct `j1`.`price` as `p` from `products` join "
     "`product_variants` as `j1` on `j1`.`product_id` = `products`.`product_id` and "
     "`j1`.`created_at` is null) as q",
     "",
     NULL},
    {"in_query",
     "select {rows} from `products` where `product_id` = any(array(select `products`.`seller_id` "
     "from `products` where `products`.`stock` > $1 limit 5 offset $2)) and `title` = $3",
     "select {rows} from `products` where `product_id` in (select `products`.`seller_id` from "
     "`products` where `products`.`stock` > ? limit 5 offset ?) and `title` = ?",
     "integer 7|integer 2|text t",
     NULL},
    {"in_query_two",
     "select {rows} from `products` where (`product_id`, `sku`) not in (select "
     "`products`.`seller_id`, `products`.`sku` from `products` where exists(select 1 from "
     "`products` as `j1` where `j1`.`seller_id` = `products`.`product_id`))",
     "select {rows} from `products` where (`product_id`, `sku`) not in (select "
     "`products`.`seller_id`, `products`.`sku` from `products` where exists(select 1 from "
     "`products` as `j1` where `j1`.`seller_id` = `products`.`product_id`))",
     "",
     NULL},
    {"per_part",
     "select `title`, `cost` from (select `title`, `price` as `cost`, row_number() over "
     "(partition by `seller_id` order by `price` desc) as weft_n from `products` where "
     "`stock` > $1) as q where weft_n <= 3 order by weft_n",
     "select `title`, `cost` from (select `title`, `price` as `cost`, row_number() over "
     "(partition by `seller_id` order by `price` desc) as weft_n from `products` where "
     "`stock` > ?) as q where weft_n <= 3 order by weft_n",
     "integer 1",
     NULL},
    {"per_part_key",
     "select {rows} from (select {rows}, row_number() over (partition by `seller_id`, "
     "`active` order by `product_id`) as weft_n from `products`) as q where weft_n > $1 "
     "and weft_n <= $1 + 3 order by weft_n",
     "select {rows} from (select {rows}, row_number() over (partition by `seller_id`, "
     "`active` order by `product_id`) as weft_n from `products`) as q where weft_n > ? "
     "and weft_n <= ? + 3 order by weft_n",
     "integer 4",
     "integer 4|integer 4"},
    {"per_unlimited",
     "select {rows} from `products`",
     "select {rows} from `products`",
     "",
     NULL},
    {"per_count",
     "select count(*) as `count` from (select `title` from (select `title`, row_number() over "
     "(partition by `seller_id` order by `product_id`) as weft_n from `products`) as q "
     "where weft_n > $1 order by weft_n) as q",
     "select count(*) as `count` from (select `title` from (select `title`, row_number() over "
     "(partition by `seller_id` order by `product_id`) as weft_n from `products`) as q "
     "where weft_n > ? order by weft_n) as q",
     "integer 4",
     NULL},
    {"soft_rows",
     "select {rows} from `products` where (`stock` = $1 or `active`) and `created_at` is null",
     "select {rows} from `products` where (`stock` = ? or `active`) and `created_at` is null",
     "integer 1",
     NULL},
    {"soft_only",
     "select distinct {rows} from `products` where `created_at` is not null",
     "select distinct {rows} from `products` where `created_at` is not null",
     "",
     NULL},
    {"soft_with",
     "select {rows} from `products`",
     "select {rows} from `products`",
     "",
     NULL},
    {"soft_count",
     "select count(*) as `count` from (select 1 from `products` where `created_at` is null "
     "limit 2) as q",
     "select count(*) as `count` from (select 1 from `products` where `created_at` is null "
     "limit 2) as q",
     "",
     NULL},
    {"soft_exists",
     "select exists(select 1 from `products` where `created_at` is null) as `exists`",
     "select exists(select 1 from `products` where `created_at` is null) as `exists`",
     "",
     NULL},
    {"soft_update",
     "update `products` set `stock` = $1 where `product_id` in (select `product_id` from "
     "`products` where `stock` = $2 and `created_at` is null limit 1)",
     "update `products` set `stock` = ? where `product_id` in (select `product_id` from "
     "`products` where `stock` = ? and `created_at` is null limit 1)",
     "integer 2|integer 1",
     NULL},
    {"soft_delete",
     "delete from `products` where `created_at` is null",
     "delete from `products` where `created_at` is null",
     "",
     NULL},
    {"soft_create",
     "insert into `products` (`title`) values ($1)",
     "insert into `products` (`title`) values (?)",
     "text x",
     NULL},
    {"soft_joined",
     "select `products`.`title` from `products` join `products` as `j1` on `j1`.`seller_id` = "
     "`products`.`product_id` and `j1`.`created_at` is null where `products`.`created_at` is "
     "null",
     "select `products`.`title` from `products` join `products` as `j1` on `j1`.`seller_id` = "
     "`products`.`product_id` and `j1`.`created_at` is null where `products`.`created_at` is "
     "null",
     "",
     NULL},
    {"soft_flag",
     "select {rows} from `products` where (`stock` = $1 or exists(select 1 from `products` as "
     "`j1` where `j1`.`seller_id` = `products`.`product_id` and `j1`.`active` is not true)) and "
     "(`active`) is not true",
     "select {rows} from `products` where (`stock` = ? or exists(select 1 from `products` as "
     "`j1` where `j1`.`seller_id` = `products`.`product_id` and `j1`.`active` is not true)) and "
     "(`active`) is not true",
     "integer 1",
     NULL},
    {"soft_flag_only",
     "select count(*) as `count` from `products` where `active`",
     "select count(*) as `count` from `products` where `active`",
     "",
     NULL},
    {"update_some",
     "update `products` set `stock` = $1 where exists(select 1 from `product_variants` as "
     "`j1` where `j1`.`product_id` = `products`.`product_id` and `j1`.`created_at` is null "
     "and (`j1`.`stock` = $2))",
     "update `products` set `stock` = ? where exists(select 1 from `product_variants` as `j1` "
     "where `j1`.`product_id` = `products`.`product_id` and `j1`.`created_at` is null and "
     "(`j1`.`stock` = ?))",
     "integer 1|integer 0",
     NULL},
    {"delete_none",
     "delete from `products` where not (exists(select 1 from `products` as `j1` where "
     "`j1`.`seller_id` = `products`.`product_id`))",
     "delete from `products` where not (exists(select 1 from `products` as `j1` where "
     "`j1`.`seller_id` = `products`.`product_id`))",
     "",
     NULL},
};

#endif
