create extension pgaudit;
create table t (a int);
