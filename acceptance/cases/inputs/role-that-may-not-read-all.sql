create role house_reader login password 'x';
create table t (a int);
create sequence s;
