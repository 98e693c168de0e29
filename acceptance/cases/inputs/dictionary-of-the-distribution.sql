create text search dictionary en_hun (template = ispell, dictfile = en_us, afffile = en_us, stopwords = english);
create text search configuration en (copy = english);
alter text search configuration en alter mapping for asciiword with en_hun, english_stem;
create table d (t text);
insert into d values ('houses');
create index on d using gin (to_tsvector('public.en', t));
