create table users (id int, mail text); insert into users values (1, 'x'), (2, 'x');
