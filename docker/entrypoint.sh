#!/bin/sh
# Starts the server in the container; the settings are TERMINOLOGY_* variables, arguments go on to `terminology serve`.
set -eu
prefix=$(cd "$(dirname "$0")/.." && pwd)
exec "$prefix/bin/terminology" serve --host "${TERMINOLOGY_HOST:-0.0.0.0}" --port "${TERMINOLOGY_PORT:-8080}" "$@"
