# ./dev sim

source packaging/dev/build.sh

dev_sim() {
  need_packages "${PACKAGES_BUILD[@]}"
  use_ccache
  configure dev
  ninja -C build/dev tests/sim/sim >&2
  exec build/dev/tests/sim/sim "$@"
}
