-- Rights that were handed on by somebody who is not the owner.
do $$ begin create role house_owner; create role house_mid; create role house_end; exception when duplicate_object then null; end $$;
alter schema public owner to house_owner; grant usage on schema public to house_mid, house_end;
set role house_owner;
create table ledger (id int primary key, amount numeric(10,2)); insert into ledger values (1, 10.50), (2, -3.25);
grant select on ledger to house_mid with grant option;
set role house_mid; grant select on ledger to house_end; reset role;
