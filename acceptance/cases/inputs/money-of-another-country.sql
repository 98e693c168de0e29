-- Amounts in the money of the country that the database is set to.
alter database {{database}} set lc_monetary = 'de_DE.UTF-8';
create table prices (id int primary key, p money); insert into prices values (1, 1234.56::numeric::money), (2, (-7.5)::numeric::money);
