# shellcheck shell=bash
# Shared by the scripts beside it: sourced, never run. Sets ROOT, the top of the source tree.
set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)

say() { printf '== %s\n' "$*"; }

die() {
  printf '%s: %s\n' "$(basename "$0")" "$*" >&2
  exit 1
}

# Prints the comment at the top of the running script, which is its help.
usage() { sed -n '2,/^[^#]/{s/^# \{0,1\}//p;}' "$0"; }

# Compilers to run at once: one a processor, but no more than memory allows (a gRPC file takes
# about 1.2 GB).
jobs() {
  local processors memory_mib
  processors=$(nproc)
  memory_mib=$(awk '/^MemAvailable:/ {print int($2 / 1024)}' /proc/meminfo)
  local by_memory=$((memory_mib / 1200))
  local most=$((by_memory < processors ? by_memory : processors))
  echo $((most > 1 ? most : 1))
}

# The compiler cache recognises a file of another clone, and one behind a precompiled header.
# CMakePresets.json says the same for those who call CMake themselves.
use_ccache() {
  export CCACHE_BASEDIR=$ROOT CCACHE_NOHASHDIR=1 CCACHE_SLOPPINESS=pch_defines,time_macros
  if [[ -z ${CCACHE_DIR:-} && ! -w ${HOME:-/nonexistent} ]]; then
    export CCACHE_DIR=$ROOT/build/ccache
  fi
}

# configure PRESET: makes build/PRESET ready for ninja.
configure() {
  local cache=$ROOT/build/$1/CMakeCache.txt
  local options=()
  # A tree that was copied or moved still names its old place.
  if [[ -f $cache ]] && ! grep -qxF "CMAKE_HOME_DIRECTORY:INTERNAL=$ROOT" "$cache"; then
    options+=(--fresh)
  fi
  use_ccache
  local output
  output=$(cd "$ROOT" && cmake --preset "$1" "${options[@]}" 2>&1) || {
    printf '%s\n' "$output" >&2
    die "cmake --preset $1 failed"
  }
}

# build PRESET TARGET…
build() {
  local preset=$1
  shift
  configure "$preset"
  say "building $preset: $*"
  cmake --build "$ROOT/build/$preset" -j "$(jobs)" --target "$@"
}

# Prints, each ended by a NUL, the files of the project that match one of the patterns.
project_files() {
  cd "$ROOT"
  if [[ -d .git ]]; then
    git -c 'safe.directory=*' ls-files -z --cached --others --exclude-standard -- "$@"
  else
    local names=() pattern
    for pattern in "$@"; do
      names+=(-o -name "$pattern")
    done
    find . \( -path ./build -o -path ./.git \) -prune -o -type f \( "${names[@]:1}" \) -print0
  fi | while IFS= read -r -d '' file; do
    if [[ -f $file ]]; then printf '%s\0' "$file"; fi
  done
}
