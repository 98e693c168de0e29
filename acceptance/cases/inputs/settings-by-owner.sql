create schema app;
create table app.orders (id int primary key);
insert into app.orders select generate_series(1, 10);
select format('alter database %I set search_path = app, public', current_database()) \gexec
select format('alter database %I set timezone = %L', current_database(), 'Asia/Tokyo') \gexec
select format('alter role %I set default_transaction_isolation = %L', current_user, 'serializable') \gexec
