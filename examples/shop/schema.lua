-- SPDX-License-Identifier: MIT
-- The tables of the three databases, in SQL that SQLite and PostgreSQL both take; MySQL has another name for
-- timestamptz, see data.lua.

return {
  product_service = [[
    create table categories (
      category_id integer primary key, parent_id integer references categories (category_id), name varchar(60) not null);
    create table products (
      product_id integer primary key, seller_id integer not null, policy_id integer not null,
      title varchar(120) not null, status varchar(12) not null, price numeric(10,2) not null,
      stock integer not null, rating real, attrs json not null, created_at timestamptz not null);
    create index products_seller on products (seller_id);
    create index products_status on products (status, price);
    create table product_variants (
      variant_id integer primary key, product_id integer not null references products (product_id),
      sku varchar(20) not null unique, title varchar(60) not null, price numeric(10,2) not null,
      stock integer not null check (stock >= 0));
    create index product_variants_product on product_variants (product_id);
    create table product_images (
      image_id integer primary key, variant_id integer not null references product_variants (variant_id),
      url varchar(120) not null, position integer not null);
    create index product_images_variant on product_images (variant_id, position);
    create table product_attributes (
      product_id integer not null references products (product_id), name varchar(40) not null, value varchar(80) not null,
      primary key (product_id, name));
    create table product_categories (
      product_id integer not null references products (product_id), category_id integer not null references categories (category_id),
      primary key (product_id, category_id));
    create table carts (
      customer_id integer primary key, version integer not null, updated_at timestamptz not null);
    create table cart_items (
      customer_id integer not null references carts (customer_id), variant_id integer not null references product_variants (variant_id),
      quantity integer not null, price numeric(10,2) not null,
      primary key (customer_id, variant_id));
    create table orders (
      customer_id integer not null references carts (customer_id), number integer not null,
      total numeric(12,2) not null, created_at timestamptz not null,
      primary key (customer_id, number));
    create table order_lines (
      customer_id integer not null, number integer not null, variant_id integer not null references product_variants (variant_id),
      quantity integer not null, price numeric(10,2) not null,
      primary key (customer_id, number, variant_id), foreign key (customer_id, number) references orders (customer_id, number));
  ]],
  seller_service = [[
    create table sellers (
      seller_id integer primary key, store_name varchar(80) not null, slug varchar(80) not null unique,
      rating real not null, country varchar(2) not null, since varchar(10) not null);
  ]],
  policy_service = [[
    create table return_policies (
      policy_id integer primary key, name varchar(60) not null, days integer not null, text varchar(400) not null);
    create table guidelines (
      guideline_id integer primary key, policy_id integer not null references return_policies (policy_id),
      position integer not null, text varchar(200) not null);
    create index guidelines_policy on guidelines (policy_id, position);
  ]],
}
