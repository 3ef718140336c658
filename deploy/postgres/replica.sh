#!/bin/sh
# Copies the primary into an empty folder, then follows it.
set -eu

if [ ! -s "$PGDATA/PG_VERSION" ]; then
  PGPASSWORD="$(cat /run/secrets/replication_password)"
  export PGPASSWORD
  # Into a folder beside it: a copy that was cut off is no database, and is begun anew.
  rm -rf "$PGDATA/copy" && mkdir -p "$PGDATA/copy"
  # --write-recovery-conf keeps the password in postgresql.auto.conf, which nobody else can read.
  pg_basebackup --host=postgres --username=replication --slot=replica --wal-method=stream \
    --write-recovery-conf --pgdata="$PGDATA/copy"
  mv "$PGDATA"/copy/* "$PGDATA"/ && rm -rf "$PGDATA/copy"
  chmod 0700 "$PGDATA"
fi
exec postgres -c hot_standby=on -c max_connections=100
