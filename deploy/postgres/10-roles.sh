#!/bin/sh
# Run once by the image on an empty data folder: the owner of the tables, the role the lab runs as, and their database.
# The tables themselves are made by `cultureops ledger prepare`, which the service `prepare` runs at each start.
set -eu
owner=$(cat /run/secrets/postgres_owner_password)
app=$(cat /run/secrets/postgres_app_password)
psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --username "${POSTGRES_USER:-postgres}" --dbname postgres <<SQL
CREATE ROLE cultureops_owner LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION PASSWORD '$owner';
CREATE ROLE cultureops LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION PASSWORD '$app';
CREATE DATABASE cultureops OWNER cultureops_owner ENCODING 'UTF8' TEMPLATE template0;
REVOKE ALL ON DATABASE cultureops FROM PUBLIC;
GRANT CONNECT ON DATABASE cultureops TO cultureops;
\connect cultureops
REVOKE ALL ON SCHEMA public FROM PUBLIC;
ALTER SCHEMA public OWNER TO cultureops_owner;
GRANT USAGE ON SCHEMA public TO cultureops;
SQL
