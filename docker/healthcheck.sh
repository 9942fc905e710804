#!/bin/sh
# Asks the server of this container whether it answers; exit code 0 or 1.
set -eu
prefix=$(cd "$(dirname "$0")/.." && pwd)
exec "$prefix/bin/python" -I "$prefix/docker/healthcheck.py"
