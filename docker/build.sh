#!/bin/sh
# Installs the service into a folder: docker/build.sh PREFIX. PYTHON names the interpreter (default: python3).
# The folder is self-contained but for that interpreter; nothing else is written.
set -eu
prefix=${1:?usage: docker/build.sh PREFIX}
source=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1 PIP_ROOT_USER_ACTION=ignore

# The build tools stay out of the image: they have an environment of their own.
"${PYTHON:-python3}" -m venv "$work/build"
"$work/build/bin/pip" install --quiet --require-hashes -r "$source/requirements/build.lock"
"$work/build/bin/pip" wheel --quiet --no-deps --no-build-isolation --wheel-dir "$work" "$source"

"${PYTHON:-python3}" -m venv "$prefix"
"$prefix/bin/pip" install --quiet --require-hashes -r "$source/requirements/runtime.lock"
"$prefix/bin/pip" install --quiet --no-deps "$work"/*.whl
mkdir -p "$prefix/docker"
cp "$source/docker/entrypoint.sh" "$source/docker/healthcheck.sh" "$source/docker/healthcheck.py" "$prefix/docker/"
cp "$source/LICENSE" "$source/NOTICE" "$prefix/"
