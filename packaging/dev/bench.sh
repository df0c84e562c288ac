# ./dev bench

source packaging/dev/build.sh

# Measures the release binary beside its peers and writes docs/benchmarks.md; names of groups run
# only these, --quick uses shorter times.
dev_bench() {
  need_root bench
  need_packages "${PACKAGES_BUILD[@]}" "${PACKAGES_RUN[@]}" "${PACKAGES_TEST[@]}" nginx-light wrk etcd-server podman strace
  use_ccache
  build_release
  ninja -C build/release tests/bench/{api_load,store_bench,scheduler_bench,http_bench,pods_bench,rbac_bench}
  step "measuring"
  python3 tests/bench/run_bench.py --release build/release/skiff --programs build/release/tests/bench "$@"
}
