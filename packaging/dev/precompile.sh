#!/bin/sh
# precompile.sh HEADER OUTPUT COMPILER...: OUTPUT, and in OUTPUT.sum what ccache knows it by (the
# compiler writes other bytes each time).
set -eu
header=$1 output=$2
shift 2
"$@" -x c++-header "$header" -o "$output"
{ echo "$@"; "$@" -E -P "$header"; } | sha256sum >"$output.sum"
