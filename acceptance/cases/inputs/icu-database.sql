create table t (a text);
insert into t values ('ä'), ('z'), ('a'), ('Z');
select string_agg(a, ' ' order by a) from t;
