-- Bytes that are no text in any one encoding, in a database that does not care.
create table notes (id int primary key, body text); comment on table notes is E'caf\xe9';
insert into notes values (1, E'caf\xe9'), (2, E'\xc3\xa9t\xc3\xa9'), (3, E'\xff\xfe');
