# ./dev test --asan and --tsan

# Builds what the tests run into build/<kind> and sets what sanitizers and tests read. Reports go to
# files: nobody reads the output of a process that outlives its test.
sanitize_tests() {
  local kind=$1
  local reports=$PWD/build/$kind/reports
  "build_$kind" src/skiff meson-test-prereq
  rm -rf "$reports"
  mkdir -p "$reports"
  # Memory that was given back is kept for a while to find its late users: 256 MB unless told, more
  # than what tests of memory allow.
  export ASAN_OPTIONS="detect_leaks=1:quarantine_size_mb=4:log_path=$reports/report"
  export UBSAN_OPTIONS="print_stacktrace=1:log_path=$reports/report"
  export TSAN_OPTIONS="halt_on_error=0:suppressions=$PWD/tests/support/tsan.supp:log_path=$reports/report"
  TEST_SLOWNESS=5
  export SKIFF_E2E_SLOWNESS=3
  # Connections of one client meet on different loops.
  [ "$kind" != tsan ] || export SKIFF_E2E_RUN_FLAGS="--io-loops 2"
}

# Fails when there is a report; prints the beginning of each.
show_findings() {
  local report found=0
  for report in "build/$1/reports"/*; do
    [ -s "$report" ] || continue
    found=1
    printf -- '--- %s\n' "$report" >&2
    head -n 40 "$report" >&2
  done
  return "$found"
}
