create table accounts (id serial primary key, login text, pass text);
create function hash_pass() returns trigger language plpgsql as
  $$ begin new.pass := public.crypt(new.pass, public.gen_salt('bf', 4)); return new; end $$;
create trigger hash_pass before insert on accounts for each row execute function hash_pass();
insert into accounts (login, pass) values ('a', 'b');
