# ./dev test

source packaging/dev/build.sh

dev_test() {
  dev_build
  step "running the tests"
  local log=build/dev/meson-logs/testlog.txt status=0
  meson test -C build/dev --print-errorlogs "$@" || status=$?
  local passed failed
  passed=$(grep -c '^result: *exit status 0$' "$log" || true)
  failed=$(grep -c '^result: *\(exit status [1-9]\|killed\)' "$log" || true)
  printf '%s passed, %s failed\n' "$passed" "$failed"
  return "$status"
}
