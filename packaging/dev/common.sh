# Shared by the subcommands of ./dev: packages, build folders, messages.

PACKAGES_BUILD=(meson ninja-build ccache g++ pkg-config python3 libuv1-dev libsqlite3-dev
  rapidjson-dev libyaml-cpp-dev libssl-dev libnl-3-dev
  libnl-route-3-dev libnftnl-dev libmnl-dev libarchive-dev libzstd-dev zstd zlib1g-dev libnghttp2-dev libre2-dev
  libspdlog-dev libfmt-dev libcli11-dev catch2)
# What builds the fuzzers and the address and undefined sanitizers.
PACKAGES_CLANG=(clang libclang-rt-14-dev)
# What a running node needs.
PACKAGES_RUN=(runc iproute2 nftables procps ca-certificates)
# What the tests use beside that: an image is made from busybox, pushed and pulled by these.
PACKAGES_TEST=(busybox-static docker-registry skopeo curl openssl jq util-linux sqlite3)
# Archives that the static release binary is linked from, beside those of PACKAGES_BUILD.
PACKAGES_RELEASE=(libacl1-dev libattr1-dev liblzma-dev libbz2-dev liblz4-dev libxml2-dev nettle-dev)

step() { printf '==> %s\n' "$*" >&2; }
die() {
  printf 'dev: %s\n' "$*" >&2
  exit 1
}

# Installs the named Debian packages that are missing; says which.
need_packages() {
  local missing=() package
  for package in "$@"; do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
  done
  [ ${#missing[@]} -eq 0 ] && return 0
  [ "$(id -u)" -eq 0 ] || die "run as root, or install these packages first: ${missing[*]}"
  step "installing ${missing[*]}"
  if ! DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null 2>&1; then
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
  fi
}

# Leaves a kubectl on PATH: what is there, else Debian's kubernetes-client.
need_kubectl() {
  command -v kubectl >/dev/null || need_packages kubernetes-client
}

# Leaves Debian's kubectl at build/tools/kubectl-debian for the tests: beside a newer one that may be
# on PATH, whose package conflicts with Debian's, so it is unpacked and not installed.
need_debian_kubectl() {
  export SKIFF_KUBECTL_DEBIAN=$PWD/build/tools/kubectl-debian
  [ -x "$SKIFF_KUBECTL_DEBIAN" ] && return 0
  step "unpacking kubernetes-client"
  local folder
  folder=$(mktemp -d)
  chmod 755 "$folder" # apt fetches as a user of its own
  (cd "$folder" && { apt-get download -qq kubernetes-client 2>/dev/null ||
    { apt-get update -qq && apt-get download -qq kubernetes-client; }; } >/dev/null)
  dpkg -x "$folder"/kubernetes-client_*.deb "$folder/root"
  mkdir -p "${SKIFF_KUBECTL_DEBIAN%/*}"
  install -m 755 "$folder/root/usr/bin/kubectl" "$SKIFF_KUBECTL_DEBIAN"
  rm -rf "$folder"
}

need_root() {
  [ "$(id -u)" -eq 0 ] || die "'./dev $1' makes namespaces and mounts: run it as root"
}

use_ccache() {
  export CCACHE_BASEDIR="${CCACHE_BASEDIR:-$PWD}" CCACHE_NOHASHDIR=1
  # Sources that begin with what packaging/dev/precompile.sh made.
  export CCACHE_SLOPPINESS=pch_defines,time_macros CCACHE_PCH_EXTSUM=1
}

# Makes build/<name> with meson options when it is not there yet.
configure() {
  local name=$1
  shift
  [ -f "build/$name/build.ninja" ] && return 0
  step "configuring build/$name"
  meson setup "build/$name" "$@" >"build.$name.log" 2>&1 || {
    cat "build.$name.log" >&2
    rm -rf "build/$name" "build.$name.log"
    return 1
  }
  rm -f "build.$name.log"
}

dev_help() {
  cat <<'TEXT'
usage: ./dev COMMAND

  up                                build, start a one-node cluster here, wait until it is Ready
  down [--purge]                    stop it and its pods; --purge deletes its data too
  demo [--nodes N]                  a real workload from image to clean-up, each step timed;
                                    with N boards: join, pods, logs, a lost master
  build [--release|--asan|--tsan]   build skiff into build/<kind>
  test [SUITE] [FILTER] [--all]     what every change must pass; --all adds the long forms
       [--asan|--tsan]              the same with sanitizers
  sim [--seed N] [--ticks M]        the whole cluster on one thread, from a seed
  bench [NAME]                      run the benchmarks of tests/bench
  fuzz [NAME] [--seconds N]         run the fuzzers (60 seconds each)
  fmt                               format the sources
  doctor                            what this machine has and lacks for the work on skiff
TEXT
}
