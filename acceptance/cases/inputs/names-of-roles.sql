-- Roles with names that need care, as owners, grantees and in policies.
do $d$ begin create role "Größe; 'x'"; create role "a""b"; create role "public_"; create role "Ünï $$ Rolle"; exception when duplicate_object then null; end $d$;
create table t (id int primary key, a text); alter table t owner to "Größe; 'x'"; grant select on t to "a""b", "Ünï $$ Rolle" with grant option;
alter table t enable row level security; create policy "p ""q""" on t to "a""b", "public_" using (true); insert into t values (1, 'x');
alter default privileges for role "Größe; 'x'" grant select on tables to "Ünï $$ Rolle";
