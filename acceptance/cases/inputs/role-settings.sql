-- What belongs to roles: settings, memberships, rights on settings.
do $$ begin create role house_app login; create role house_team; exception when duplicate_object then null; end $$;
grant house_team to house_app with admin option;
alter role house_app set search_path = app, public; alter role house_app in database {{database}} set statement_timeout = '5s'; alter role house_app connection limit 3;
grant set on parameter log_min_messages to house_app;
create schema app authorization house_app; create table app.t (id int primary key); alter table app.t owner to house_app; insert into app.t values (1);
create table app.u (id int); alter table app.u owner to house_team;
