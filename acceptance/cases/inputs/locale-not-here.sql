-- A database sorted by the rules of a language that the restoring host does not have.
create table names (id int primary key, name text unique); insert into names values (1, 'ärger'), (2, 'Zebra'), (3, 'apfel');
