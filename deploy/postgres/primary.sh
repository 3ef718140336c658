#!/bin/sh
# Run once, by the image, in an empty primary: lets the replica copy it and follow it.
set -eu

psql --set=ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" \
  --set=password="$(cat /run/secrets/replication_password)" <<'SQL'
CREATE ROLE replication WITH REPLICATION LOGIN PASSWORD :'password';
-- What the replica has not read yet is kept for it, up to max_slot_wal_keep_size.
SELECT pg_create_physical_replication_slot('replica');
SQL
echo "host replication replication samenet scram-sha-256" >> "$PGDATA/pg_hba.conf"
