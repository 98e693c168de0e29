-- A database whose default sorting is ICU's, with a table that is cut into ranges of text by it.
create table people (name text, n int) partition by range (name);
create table people_am partition of people for values from ('a') to ('n');
create table people_nz partition of people for values from ('n') to (maxvalue);
insert into people values ('anna', 1), ('Bert', 2), ('Zoe', 3), ('Ümit', 4);
