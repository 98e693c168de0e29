-- Settings whose values have to be quoted, are lists, or are known under another spelling once they are in force.
create text search configuration "my conf" (copy = simple);
create table t (id int primary key); insert into t values (1);
do $$ declare s text; begin
  foreach s in array array['default_text_search_config = ''public."my conf"''', 'search_path = "we ird", public, ''a,b''', 'app.json = ''{"a": "b=c"}''', 'app.lines = E''one\ntwo''', 'timezone = ''Europe/Berlin''',
    'datestyle = ''iso, dmy''', 'default_transaction_read_only = true', 'work_mem = ''12345kB''', 'temp_tablespaces = ''''', 'app.empty = ''''', 'vacuum_cost_delay = 1.5'] loop
    execute format('alter database %I set %s', current_database(), s); end loop; end $$;
