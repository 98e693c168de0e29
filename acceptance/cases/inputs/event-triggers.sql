-- An event trigger that tells an API to read the schema again, and one that refuses what is dropped.
create function reload() returns event_trigger language plpgsql as $$ begin notify pgrst, 'reload schema'; end $$;
create event trigger watch on ddl_command_end execute function reload();
create function no_drop() returns event_trigger language plpgsql as $$ begin if current_setting('app.may_drop', true) is distinct from 'yes' then raise exception 'nothing is dropped here'; end if; end $$;
create event trigger guard on sql_drop execute function no_drop();
create table a (id int primary key); insert into a values (1), (2);
