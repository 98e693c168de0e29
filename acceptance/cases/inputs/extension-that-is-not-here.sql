create extension vector;
create table items (id int, e vector(3));
