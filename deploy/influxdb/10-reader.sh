#!/bin/sh
# Run once by the image after its set-up: the dashboards read with a name and a password of their own, and write nothing.
set -eu
password=$(cat /run/secrets/influxdb_reader_password)
influx v1 auth create --username reader --password "$password" --read-bucket "$DOCKER_INFLUXDB_INIT_BUCKET_ID" \
  --org "$DOCKER_INFLUXDB_INIT_ORG" --description "dashboards" >/dev/null
