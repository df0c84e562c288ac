# Shared by the subcommands of ./dev: packages, build folders, messages.

PACKAGES_BUILD=(meson ninja-build ccache g++ pkg-config python3 libuv1-dev libsqlite3-dev
  rapidjson-dev libyaml-cpp-dev libssl-dev libnghttp2-dev libcpp-httplib-dev libnl-3-dev
  libnl-route-3-dev libnftnl-dev libmnl-dev libarchive-dev libzstd-dev zlib1g-dev libre2-dev
  libspdlog-dev libfmt-dev libcli11-dev catch2)

step() { printf '==> %s\n' "$*" >&2; }

# Installs the named Debian packages that are missing; says which.
need_packages() {
  local missing=() package
  for package in "$@"; do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
  done
  [ ${#missing[@]} -eq 0 ] && return 0
  if [ "$(id -u)" -ne 0 ]; then
    echo "dev: install these packages first: ${missing[*]}" >&2
    return 1
  fi
  step "installing ${missing[*]}"
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

use_ccache() {
  export CCACHE_BASEDIR="${CCACHE_BASEDIR:-$PWD}" CCACHE_NOHASHDIR=1
}

# Makes build/<name> with meson options when it is not there yet.
configure() {
  local name=$1
  shift
  [ -f "build/$name/build.ninja" ] && return 0
  step "configuring build/$name"
  meson setup "build/$name" "$@" >/dev/null
}

dev_help() {
  cat <<'TEXT'
usage: ./dev COMMAND
  build [--release|--asan|--tsan]   build skiff
  test [SUITE] [FILTER] [--all]     build and run the tests
TEXT
}
