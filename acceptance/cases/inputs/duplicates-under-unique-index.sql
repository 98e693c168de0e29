-- Two equal keys under a unique index, as after an update of the C library that sorts otherwise.
create table accounts (id int, email text); insert into accounts values (1, 'a@example.org'), (2, 'b@example.org'), (3, 'a@example.org');
create index accounts_email on accounts (email);
update pg_index set indisunique = true where indexrelid = 'accounts_email'::regclass;
