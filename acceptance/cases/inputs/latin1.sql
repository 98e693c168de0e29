set client_encoding = 'UTF8';
create table "größe" (id int primary key, "straße" text default 'ß'); insert into "größe" values (1, 'Köln'), (2, default);
comment on table "größe" is 'Maße';
create type "farbe" as enum ('grün', 'weiß');
