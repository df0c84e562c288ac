# ./dev build

dev_build() {
  local name=dev
  case "${1:-}" in
    "") ;;
    --release) name=release ;;
    --asan) name=asan ;;
    --tsan) name=tsan ;;
    *) die "build: unknown option '$1'" ;;
  esac
  need_packages "${PACKAGES_BUILD[@]}"
  use_ccache
  "build_$name"
}

build_dev() {
  configure dev
  step "building build/dev"
  ninja -C build/dev "$@"
}

# By clang: the fuzzers are of the same objects.
configure_asan() {
  need_packages "${PACKAGES_CLANG[@]}"
  CC="ccache clang" CXX="ccache clang++" configure asan -Dfuzz=true -Doptimization=1 \
    -Db_sanitize=address,undefined -Db_lundef=false
}

build_asan() {
  configure_asan
  step "building build/asan"
  ninja -C build/asan "$@"
}

build_tsan() {
  configure tsan -Db_sanitize=thread -Db_lundef=false
  step "building build/tsan"
  ninja -C build/tsan "$@"
}

# One static, stripped binary at build/release/skiff.
build_release() {
  need_packages "${PACKAGES_RELEASE[@]}"
  local options=(--buildtype=minsize -Ddebug=false -Dstatic_link=true)
  if third_party/fetch; then
    :
  else
    step "linking the shared libraries instead: -Dstatic_link=false"
    options=("${options[@]/-Dstatic_link=true/-Dstatic_link=false}")
  fi
  configure release "${options[@]}"
  step "building build/release"
  ninja -C build/release src/skiff
  cp build/release/src/skiff build/release/skiff
  strip build/release/skiff
  step "build/release/skiff: $(stat -c %s build/release/skiff) bytes, of these"
  packaging/dev/size_report.py build/release/skiff.map >&2
}
