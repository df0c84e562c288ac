# ./dev build

dev_build() {
  need_packages "${PACKAGES_BUILD[@]}"
  use_ccache
  local name=dev options=()
  case "${1:-}" in
    "") ;;
    --release) name=release options=(--buildtype=release -Db_lto=false) ;;
    --asan) name=asan options=(-Db_sanitize=address,undefined -Db_lundef=false) ;;
    --tsan) name=tsan options=(-Db_sanitize=thread -Db_lundef=false) ;;
    *) echo "dev build: unknown option '$1'" >&2 && return 2 ;;
  esac
  configure "$name" "${options[@]}"
  step "building build/$name"
  ninja -C "build/$name"
}
