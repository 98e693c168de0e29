create extension postgis;
create extension postgis_topology;
update spatial_ref_sys set proj4text = proj4text || ' +towgs84=1,2,3' where srid = 31467;
delete from spatial_ref_sys where srid = 2000;
select topology.createtopology('city', 4326);
