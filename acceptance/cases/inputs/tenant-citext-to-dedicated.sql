create table users (id serial primary key, mail public.citext not null unique);
insert into users (mail) values ('A@example.org');
