#!/usr/bin/env bash
# A role and a database of its own for each stateful service, made when PostgreSQL's volume is new. No service can
# connect to the database of another.
set -euo pipefail

make() { # NAME VARIABLE: the role and database NAME, with the password that VARIABLE holds
    : "${!2:?is not set}"
    # psql reads the password from its environment: an argument would stand in the list of processes.
    psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1 --set=name="$1" \
        --username="${POSTGRES_USER:-postgres}" --dbname=postgres <<SQL
\\getenv password $2
CREATE ROLE :"name" LOGIN PASSWORD :'password';
CREATE DATABASE :"name" OWNER :"name" ENCODING 'UTF8' TEMPLATE template0;
REVOKE ALL ON DATABASE :"name" FROM PUBLIC;
SQL
}

make ingest BATON_INGEST_DB_PASSWORD
make escalation_router BATON_ROUTER_DB_PASSWORD
