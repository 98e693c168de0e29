-- A tenant that uses an extension's type of the schema public of its pooled cluster.
create table mails (id int primary key, addr public.citext unique); insert into mails values (1, 'A@x.org');
-- The same with an enum that the administrator keeps in public.
create table tasks (id int primary key, p public.priority default 'low'); insert into tasks values (1, 'high');
