create extension postgis;
create extension postgis_raster;
