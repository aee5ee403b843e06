/* SPDX-License-Identifier: MIT */
/* What each query of render_cases.h becomes in MySQL's dialect, in the order of render_expected.h. */
#ifndef WEFT_SPEC_RENDER_EXPECTED_MYSQL_H
#define WEFT_SPEC_RENDER_EXPECTED_MYSQL_H

static const struct expected_mysql {
  const char *name, *sql, *params; /* params NULL: PostgreSQL's */
} expected_mysql[] = {
    {"rows",
     "select {rows} from `products`",
     NULL},
    {"eq",
     "select {rows} from `products` where `price` = ?",
     NULL},
    {"ne_text",
     "select {rows} from `products` where `title` <> ?",
     NULL},
    {"order_ops",
     "select {rows} from `products` where `stock` < ? and `stock` >= ?",
     NULL},
    {"null_eq",
     "select {rows} from `products` where `sku` is null",
     NULL},
    {"null_ne",
     "select {rows} from `products` where `sku` is not null",
     NULL},
    {"column_column",
     "select {rows} from `products` where `price` > `weight`",
     NULL},
    {"in_ints",
     "select {rows} from `products` where `seller_id` in (select weft_v from json_table(?, "
     "'$[*]' columns (weft_v bigint path '$')) as weft_list)",
     NULL},
    {"in_text",
     "select {rows} from `products` where `title` in (select weft_v from json_table(?, "
     "'$[*]' columns (weft_v longtext collate utf8mb4_bin path '$')) as weft_list)",
     NULL},
    {"in_null",
     "select {rows} from `products` where `seller_id` in (select weft_v from json_table(?, "
     "'$[*]' columns (weft_v bigint path '$')) as weft_list) or `seller_id` is null",
     NULL},
    {"not_in_null",
     "select {rows} from `products` where `seller_id` not in (select weft_v from json_table(?, "
     "'$[*]' columns (weft_v bigint path '$')) as weft_list) and `seller_id` is not null",
     NULL},
    {"in_nothing",
     "select {rows} from `products` where false",
     NULL},
    {"not_in_nothing",
     "select {rows} from `products`",
     NULL},
    {"not_in",
     "select {rows} from `products` where `stock` not in (select weft_v from json_table(?, "
     "'$[*]' columns (weft_v bigint path '$')) as weft_list)",
     NULL},
    {"in_prices",
     "select {rows} from `products` where `price` in (select weft_v from json_table(?, "
     "'$[*]' columns (weft_v decimal(65,30) path '$')) as weft_list)",
     NULL},
    {"in_floats",
     "select {rows} from `products` where `weight` in (select weft_v from json_table(?, "
     "'$[*]' columns (weft_v double path '$')) as weft_list)",
     NULL},
    {"in_bytes",
     "select {rows} from `products` where `photo` in (select unhex(weft_v) from json_table(?, "
     "'$[*]' columns (weft_v longtext path '$')) as weft_list)",
     NULL},
    {"in_bools",
     "select {rows} from `products` where `active` in (select weft_v from json_table(?, "
     "'$[*]' columns (weft_v bigint path '$')) as weft_list)",
     NULL},
    {"in_raw",
     "select {rows} from `products` where `seller_id` in (select seller_id from products "
     "where stock > ?)",
     NULL},
    {"between_prices",
     "select {rows} from `products` where `price` between ? and ?",
     NULL},
    {"like",
     "select {rows} from `products` where `title` like ?",
     NULL},
    {"like_int",
     "select {rows} from `products` where `stock` like ?",
     NULL},
    {"ilike",
     "select {rows} from `products` where lower(convert(`title` using utf8mb4)) collate "
     "utf8mb4_bin like lower(?)",
     NULL},
    {"begins",
     "select {rows} from `products` where left(cast(convert(`title` using utf8mb4) as "
     "binary), length(?)) = cast(? as binary)",
     "text A|text A"},
    {"ends",
     "select {rows} from `products` where right(cast(convert(`title` using utf8mb4) as "
     "binary), length(?)) = cast(? as binary)",
     "text s|text s"},
    {"contains",
     "select {rows} from `products` where locate(cast(? as binary), cast(convert(`title` "
     "using utf8mb4) as binary)) > 0",
     NULL},
    {"begins_empty",
     "select {rows} from `products` where left(cast(convert(`sku` using utf8mb4) as binary), "
     "length(?)) = cast(? as binary)",
     "text |text "},
    {"ends_empty",
     "select {rows} from `products` where right(cast(convert(`sku` using utf8mb4) as "
     "binary), length(?)) = cast(? as binary)",
     "text |text "},
    {"contains_empty",
     "select {rows} from `products` where locate(cast(? as binary), cast(convert(`sku` "
     "using utf8mb4) as binary)) > 0",
     NULL},
    {"begins_int",
     "select {rows} from `products` where left(cast(convert(`stock` using utf8mb4) as "
     "binary), length(?)) = cast(? as binary)",
     "text 1|text 1"},
    {"begins_bytes",
     "select {rows} from `products` where left(`photo`, length(?)) = cast(? as binary)",
     "bytes 61|bytes 61"},
    {"ends_bytes",
     "select {rows} from `products` where right(`photo`, length(?)) = cast(? as binary)",
     "bytes 0062|bytes 0062"},
    {"contains_bytes",
     "select {rows} from `products` where locate(cast(? as binary), `photo`) > 0",
     NULL},
    {"logic",
     "select {rows} from `products` where (`price` < ? or (`active` = ? and `stock` > "
     "?)) and not (`title` = ?)",
     NULL},
    {"raw",
     "select {rows} from `products` where (price > ? and stock > ?) and `seller_id` = "
     "?",
     NULL},
    {"raw_comment",
     "select {rows} from `products` where (stock >= 0 -- '?'\n)",
     NULL},
    {"path_number",
     "select {rows} from `products` where (case when json_type(json_extract(`attrs`, "
     "'$.\"size\"')) in ('INTEGER', 'UNSIGNED INTEGER', 'DOUBLE', 'DECIMAL') then cast(json_unquote(json_extract(`attrs`, "
     "'$.\"size\"')) as decimal(65,30)) end) > ?",
     NULL},
    {"path_text",
     "select {rows} from `products` where (case when json_type(json_extract(`attrs`, "
     "'$.\"color\"')) = 'STRING' then json_unquote(json_extract(`attrs`, '$.\"color\"')) "
     "collate utf8mb4_bin end) = ?",
     NULL},
    {"path_bool",
     "select {rows} from `products` where (case when json_type(json_extract(`attrs`, "
     "'$.\"ok\"')) = 'BOOLEAN' then json_unquote(json_extract(`attrs`, '$.\"ok\"')) = 'true' "
     "end) = ?",
     NULL},
    {"path_deep",
     "select {rows} from `products` where (case when json_type(json_extract(`attrs`, "
     "'$.\"items\"[1].\"sku\"')) = 'STRING' then json_unquote(json_extract(`attrs`, '$.\"items\"[1].\"sku\"')) "
     "collate utf8mb4_bin end) = ?",
     NULL},
    {"path_odd",
     "select {rows} from `products` where (case when json_type(json_extract(`attrs`, "
     "'$.\"a.\\\\\"b''\\\\\\\\\".\"\xc3""\xa9""\"')) in ('INTEGER', 'UNSIGNED INTEGER', 'DOUBLE', 'DECIMAL') "
     "then cast(json_unquote(json_extract(`attrs`, '$.\"a.\\\\\"b''\\\\\\\\\".\"\xc3""\xa9""\"')) as decimal(65,30)) "
     "end) = ?",
     NULL},
    {"path_last",
     "select {rows} from `products` where (case when json_type(json_extract(`attrs`, "
     "'$.\"list\"[last]')) in ('INTEGER', 'UNSIGNED INTEGER', 'DOUBLE', 'DECIMAL') then "
     "cast(json_unquote(json_extract(`attrs`, '$.\"list\"[last]')) as decimal(65,30)) end) "
     "= ?",
     NULL},
    {"path_in",
     "select {rows} from `products` where (case when json_type(json_extract(`attrs`, "
     "'$.\"color\"')) = 'STRING' then json_unquote(json_extract(`attrs`, '$.\"color\"')) "
     "collate utf8mb4_bin end) in (select weft_v from json_table(?, '$[*]' columns (weft_v "
     "longtext path '$')) as weft_list)",
     NULL},
    {"path_in_numbers",
     "select {rows} from `products` where (case when json_type(json_extract(`attrs`, "
     "'$.\"size\"')) in ('INTEGER', 'UNSIGNED INTEGER', 'DOUBLE', 'DECIMAL') then cast(json_unquote(json_extract(`attrs`, "
     "'$.\"size\"')) as decimal(65,30)) end) in (select weft_v from json_table(?, '$[*]' "
     "columns (weft_v decimal(65,30) path '$')) as weft_list)",
     NULL},
    {"path_null",
     "select {rows} from `products` where (case when json_type(json_extract(`attrs`, "
     "'$.\"none\"')) <> 'NULL' then json_extract(`attrs`, '$.\"none\"') end) is null",
     NULL},
    {"path_not_null",
     "select {rows} from `products` where (case when json_type(json_extract(`attrs`, "
     "'$.\"color\"')) <> 'NULL' then json_extract(`attrs`, '$.\"color\"') end) is not null",
     NULL},
    {"path_like",
     "select {rows} from `products` where left(cast(convert((case when json_type(json_extract(`attrs`, "
     "'$.\"color\"')) = 'STRING' then json_unquote(json_extract(`attrs`, '$.\"color\"')) "
     "collate utf8mb4_bin end) using utf8mb4) as binary), length(?)) = cast(? as binary)",
     "text r|text r"},
    {"path_between",
     "select {rows} from `products` where (case when json_type(json_extract(`attrs`, "
     "'$.\"size\"')) in ('INTEGER', 'UNSIGNED INTEGER', 'DOUBLE', 'DECIMAL') then cast(json_unquote(json_extract(`attrs`, "
     "'$.\"size\"')) as decimal(65,30)) end) between ? and ?",
     NULL},
    {"path_select",
     "select `product_id`, (case when json_type(json_extract(`attrs`, '$.\"color\"')) <> "
     "'NULL' then json_extract(`attrs`, '$.\"color\"') end) as `color`, (case when json_type(json_extract(`attrs`, "
     "'$.\"items\"[0].\"sku\"')) <> 'NULL' then json_extract(`attrs`, '$.\"items\"[0].\"sku\"') "
     "end) as `sku` from `products` order by (case when json_type(json_extract(`attrs`, "
     "'$.\"size\"')) <> 'NULL' then json_extract(`attrs`, '$.\"size\"') end) desc",
     NULL},
    {"selected",
     "select `product_id`, `title`, `price` as `cost` from `products`",
     NULL},
    {"paged",
     "select {rows} from `products` order by `price` desc, `product_id` limit 2 offset "
     "?",
     NULL},
    {"offset_only",
     "select {rows} from `products` order by `product_id` limit 18446744073709551615 "
     "offset ?",
     NULL},
    {"distinct",
     "select distinct `seller_id` from `products`",
     NULL},
    {"grouped",
     "select `seller_id`, count(*) as `n`, sum(`price`) as `total`, max(`price`) as `price` "
     "from `products` group by `seller_id` having count(*) > ? and max(`price`) < ? order "
     "by `n` desc",
     NULL},
    {"group_plain",
     "select `seller_id`, `active` from `products` group by `seller_id`, `active`",
     NULL},
    {"group_adds",
     "select `active`, count(distinct `seller_id`) as `k`, avg(`stock`) as `avg` from "
     "`products` group by `active`",
     NULL},
    {"for_update",
     "select {rows} from `products` where `product_id` = ? for update skip locked",
     NULL},
    {"locked_share",
     "select {rows} from `products` where `product_id` = ? for update",
     NULL},
    {"count",
     "select count(*) as `count` from `products` where `stock` > ?",
     NULL},
    {"count_false",
     "select count(*) as `count` from `products` where false",
     NULL},
    {"count_limit",
     "select count(*) as `count` from (select 1 from `products` limit 3 offset ?) as "
     "q",
     NULL},
    {"count_distinct",
     "select count(*) as `count` from (select distinct `seller_id` from `products`) as "
     "q",
     NULL},
    {"count_groups",
     "select count(*) as `count` from (select 1 from `products` group by `seller_id` "
     "having count(*) > ?) as q",
     NULL},
    {"exists",
     "select exists(select 1 from `products` where `sku` = ?) as `exists`",
     NULL},
    {"sum",
     "select sum(`price`) as `sum` from `products` where `stock` > ?",
     NULL},
    {"max_limit",
     "select max(`x`) as `max` from (select `price` as `x` from `products` order by `product_id` "
     "limit 2) as q",
     NULL},
    {"sum_distinct",
     "select sum(`stock`) as `sum` from (select distinct `stock` from `products`) as "
     "q",
     NULL},
    {"sum_path",
     "select sum((case when json_type(json_extract(`attrs`, '$.\"size\"')) in ('INTEGER', "
     "'UNSIGNED INTEGER', 'DOUBLE', 'DECIMAL') then cast(json_unquote(json_extract(`attrs`, "
     "'$.\"size\"')) as decimal(65,30)) end)) as `sum` from `products`",
     NULL},
    {"create",
     "insert into `products` (`product_id`, `title`, `price`, `stock`) values (?, ?, "
     "?, ?) /*M!100500 returning {stored} */",
     NULL},
    {"create_nothing",
     "insert into `products` () values () /*M!100500 returning {stored} */",
     NULL},
    {"create_quiet",
     "insert into `products` (`product_id`, `title`, `stock`) values (?, ?, ?)",
     NULL},
    {"create_many",
     "insert into `products` (`product_id`, `title`, `price`, `stock`) values (?, ?, "
     "?, ?) /*M!100500 returning {stored} */",
     "integer 203|text c|decimal 3.50|integer 1|integer 202|text b|null|integer 2|integer "
     "201|text a|decimal 1|integer 3"},
    {"create_many_quiet",
     "insert into `products` (`product_id`, `title`, `stock`) values (?, ?, ?)",
     "integer 301|text c|integer 1|integer 302|text b|integer 1"},
    {"create_many_nothing",
     "insert into `products` () values ()",
     ""},
    {"upsert",
     "insert into `products` (`product_id`, `sku`, `title`, `stock`) values (?, ?, ?, "
     "?) on duplicate key update `product_id` = if(`sku` <=> values(`sku`), values(`product_id`), "
     "(select null union all select null)), `title` = values(`title`), `stock` = values(`stock`) "
     "/*M!100500 returning {stored} */",
     NULL},
    {"upsert_key",
     "insert into `products` (`product_id`, `title`, `stock`) values (?, ?, ?) on duplicate "
     "key update `title` = if(`product_id` <=> values(`product_id`), values(`title`), "
     "(select null union all select null)), `stock` = values(`stock`) /*M!100500 returning "
     "{stored} */",
     NULL},
    {"upsert_updates",
     "insert into `products` (`sku`, `title`, `stock`) values (?, ?, ?) on duplicate "
     "key update `stock` = if(`sku` <=> values(`sku`), `stock` + ?, (select null union all "
     "select null)), `title` = ? /*M!100500 returning {stored} */",
     NULL},
    {"upsert_nothing",
     "insert into `products` (`sku`, `title`, `stock`) values (?, ?, ?) on duplicate "
     "key update `sku` = if(`sku` <=> values(`sku`), `sku`, (select null union all select "
     "null)) /*M!100500 returning {stored} */",
     NULL},
    {"upsert_many",
     "insert into `products` (`sku`, `title`, `stock`) values (?, ?, ?) on duplicate "
     "key update `stock` = if(`sku` <=> values(`sku`), `stock` + ?, (select null union all "
     "select null)) /*M!100500 returning {stored} */",
     "text S1|text up|integer 4|integer 10|text S900|text down|integer 5|integer 10"},
    {"update",
     "update `products` set `title` = ?, `stock` = `stock` + ?, `sku` = ? where `product_id` "
     "= ?",
     NULL},
    {"update_all",
     "delete from `products`",
     NULL},
    {"update_limit",
     "update `products` set `stock` = ? where `stock` > ? order by `price` limit 1",
     NULL},
    {"update_raw",
     "update `products` set `stock` = (stock * ?) where (stock > ?)",
     NULL},
    {"delete_some",
     "delete from `products` using `products` where `product_id` in (select weft_v from "
     "json_table(?, '$[*]' columns (weft_v bigint path '$')) as weft_list)",
     NULL},
    {"delete_said",
     "delete from `products`",
     NULL},
    {"some_row",
     "select {rows} from `products` where `price` > ? and exists(select 1 from `product_variants` "
     "as `j1` where `j1`.`product_id` = `products`.`product_id` and `j1`.`created_at` "
     "is null and (`j1`.`stock` > ? and `j1`.`sku` = ?))",
     NULL},
    {"some_any",
     "select {rows} from `products` where exists(select 1 from `product_variants` as "
     "`j1` where `j1`.`product_id` = `products`.`product_id` and `j1`.`created_at` is "
     "null)",
     NULL},
    {"some_none",
     "select {rows} from `products` where not (exists(select 1 from `product_variants` "
     "as `j1` where `j1`.`product_id` = `products`.`product_id` and `j1`.`created_at` "
     "is null and (`j1`.`stock` = ?)))",
     NULL},
    {"some_every",
     "select {rows} from `products` where not (exists(select 1 from `product_variants` "
     "as `j1` where `j1`.`product_id` = `products`.`product_id` and `j1`.`created_at` "
     "is null and ((`j1`.`stock` > ?) is not true)))",
     NULL},
    {"some_typed",
     "select {rows} from `products` where exists(select 1 from `product_variants` as "
     "`j1` where `j1`.`product_id` = `products`.`product_id` and `j1`.`created_at` is "
     "null and (`j1`.`stock` in (select weft_v from json_table(?, '$[*]' columns (weft_v "
     "bigint path '$')) as weft_list) and left(cast(convert(`j1`.`title` using utf8mb4) "
     "as binary), length(?)) = cast(? as binary) and ((case when json_type(json_extract(`j1`.`attrs`, "
     "'$.\"a b\"')) in ('INTEGER', 'UNSIGNED INTEGER', 'DOUBLE', 'DECIMAL') then cast(json_unquote(json_extract(`j1`.`attrs`, "
     "'$.\"a b\"')) as decimal(65,30)) end) = ? or (case when json_type(json_extract(`j1`.`attrs`, "
     "'$.\"c\"')) = 'STRING' then json_unquote(json_extract(`j1`.`attrs`, '$.\"c\"')) collate "
     "utf8mb4_bin end) in (select weft_v from json_table(?, '$[*]' columns (weft_v longtext "
     "path '$')) as weft_list))))",
     "[integer 1]|text a|text a|decimal 1|[text x]"},
    {"some_self",
     "select {rows} from `products` where exists(select 1 from `products` as `j1` where "
     "`j1`.`seller_id` = `products`.`product_id` and (exists(select 1 from `products` "
     "as `j2` where `j2`.`seller_id` = `j1`.`product_id` and (`j2`.`stock` < ?)))) and "
     "exists(select 1 from `products` as `j3` where `j3`.`seller_id` = `products`.`product_id` "
     "and (`j3`.`price` < `j3`.`weight`))",
     NULL},
    {"untrue_or",
     "select {rows} from `products` where (`sku` = ? or `active`) is not true and `stock` "
     "= ?",
     NULL},
    {"joined_rows",
     "select `products`.`product_id`, `products`.`seller_id`, `products`.`title`, `products`.`sku`, "
     "`products`.`price`, `products`.`weight`, `products`.`stock`, `products`.`active`, "
     "`products`.`attrs`, `products`.`photo`, `products`.`tags`, `products`.`created_at` "
     "from `products` join `product_variants` as `j1` on `j1`.`product_id` = `products`.`product_id` "
     "and `j1`.`created_at` is null where (case when json_type(json_extract(`products`.`attrs`, "
     "'$.\"a b\"')) in ('INTEGER', 'UNSIGNED INTEGER', 'DOUBLE', 'DECIMAL') then cast(json_unquote(json_extract(`products`.`attrs`, "
     "'$.\"a b\"')) as decimal(65,30)) end) = ? and `j1`.`sku` in (select convert(weft_v "
     "using latin1) collate latin1_swedish_ci from json_table(?, '$[*]' columns (weft_v "
     "longtext collate utf8mb4_bin path '$')) as weft_list where convert(convert(weft_v "
     "using latin1) using utf8mb4) = weft_v)",
     NULL},
    {"joined_if",
     "select `products`.`title` from `products` left join `product_variants` as `j1` "
     "on `j1`.`product_id` = `products`.`product_id` and `j1`.`created_at` is null and "
     "(`j1`.`stock` = ? and exists(select 1 from `products` as `j2` where `j2`.`seller_id` "
     "= `j1`.`product_id` and (`j2`.`sku` = ?))) where `products`.`stock` = ?",
     NULL},
    {"joined_left",
     "select `products`.`title`, `j1`.`stock`, `j1`.`sku` as `code` from `products` left "
     "join `product_variants` as `j1` on `j1`.`product_id` = `products`.`product_id` "
     "and `j1`.`created_at` is null where `j1`.`sku` is null order by `code` desc",
     NULL},
    {"joined_deep",
     "select `j2`.`title` from `products` join `products` as `j1` on `j1`.`seller_id` "
     "= `products`.`product_id` join `products` as `j2` on `j2`.`seller_id` = `j1`.`product_id` "
     "where `j2`.`title` = ? and exists(select 1 from `products` as `j3` where `j3`.`seller_id` "
     "= `products`.`product_id` and (`j3`.`title` = ?))",
     NULL},
    {"joined_groups",
     "select `products`.`title`, sum(`j1`.`price`) as `n` from `products` join `product_variants` "
     "as `j1` on `j1`.`product_id` = `products`.`product_id` and `j1`.`created_at` is "
     "null group by `products`.`title`, `j1`.`sku` having sum(`j1`.`price`) > ? order "
     "by `j1`.`sku`",
     NULL},
    {"joined_count",
     "select count(*) as `count` from `products` join `product_variants` as `j1` on `j1`.`product_id` "
     "= `products`.`product_id` and `j1`.`created_at` is null",
     NULL},
    {"joined_sum",
     "select sum(`p`) as `sum` from (select distinct `j1`.`price` as `p` from `products` "
     "join `product_variants` as `j1` on `j1`.`product_id` = `products`.`product_id` "
     "and `j1`.`created_at` is null) as q",
     NULL},
    {"in_query",
     "select {rows} from `products` where `product_id` in (select * from (select `products`.`seller_id` "
     "from `products` where `products`.`stock` > ? limit 5 offset ?) as q) and `title` "
     "= ?",
     NULL},
    {"in_query_two",
     "select {rows} from `products` where (`product_id`, `sku`) not in (select `products`.`seller_id`, "
     "`products`.`sku` from `products` where exists(select 1 from `products` as `j1` "
     "where `j1`.`seller_id` = `products`.`product_id`))",
     NULL},
    {"per_part",
     "select `title`, `cost` from (select `title`, `price` as `cost`, row_number() over "
     "(partition by `seller_id` order by `price` desc) as weft_n from `products` where "
     "`stock` > ?) as q where weft_n <= 3 order by weft_n",
     NULL},
    {"per_part_key",
     "select {rows} from (select {rows}, row_number() over (partition by `seller_id`, "
     "`active` order by `product_id`) as weft_n from `products`) as q where weft_n > "
     "? and weft_n <= ? + 3 order by weft_n",
     "integer 4|integer 4"},
    {"per_unlimited",
     "select {rows} from `products`",
     NULL},
    {"per_count",
     "select count(*) as `count` from (select `title` from (select `title`, row_number() "
     "over (partition by `seller_id` order by `product_id`) as weft_n from `products`) "
     "as q where weft_n > ? order by weft_n) as q",
     NULL},
    {"soft_rows",
     "select {rows} from `products` where (`stock` = ? or `active`) and `created_at` "
     "is null",
     NULL},
    {"soft_only",
     "select distinct {rows} from `products` where `created_at` is not null",
     NULL},
    {"soft_with",
     "select {rows} from `products`",
     NULL},
    {"soft_count",
     "select count(*) as `count` from (select 1 from `products` where `created_at` is "
     "null limit 2) as q",
     NULL},
    {"soft_exists",
     "select exists(select 1 from `products` where `created_at` is null) as `exists`",
     NULL},
    {"soft_update",
     "update `products` set `stock` = ? where `stock` = ? and `created_at` is null limit "
     "1",
     NULL},
    {"soft_delete",
     "delete from `products` where `created_at` is null",
     NULL},
    {"soft_create",
     "insert into `products` (`title`) values (?)",
     NULL},
    {"soft_joined",
     "select `products`.`title` from `products` join `products` as `j1` on `j1`.`seller_id` "
     "= `products`.`product_id` and `j1`.`created_at` is null where `products`.`created_at` "
     "is null",
     NULL},
    {"soft_flag",
     "select {rows} from `products` where (`stock` = ? or exists(select 1 from `products` "
     "as `j1` where `j1`.`seller_id` = `products`.`product_id` and `j1`.`active` is not "
     "true)) and (`active`) is not true",
     NULL},
    {"soft_flag_only",
     "select count(*) as `count` from `products` where `active`",
     NULL},
    {"update_some",
     "update `products` set `stock` = ? where exists(select 1 from `product_variants` "
     "as `j1` where `j1`.`product_id` = `products`.`product_id` and `j1`.`created_at` "
     "is null and (`j1`.`stock` = ?))",
     NULL},
    {"delete_none",
     "delete from `products` where not (exists(select 1 from `products` as `j1` where "
     "`j1`.`seller_id` = `products`.`product_id`))",
     NULL},
};

#endif
