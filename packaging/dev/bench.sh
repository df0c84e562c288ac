# ./dev bench

# Runs the benchmarks of tests/bench with the release's optimisation; NAME runs one.
dev_bench() {
  need_packages "${PACKAGES_BUILD[@]}" nginx-light wrk
  use_ccache
  configure bench --buildtype=release -Doptimization=2
  step "building build/bench"
  ninja -C build/bench
  meson test -C build/bench --no-rebuild --benchmark --verbose "$@"
}
