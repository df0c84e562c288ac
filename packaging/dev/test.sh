# ./dev test

source packaging/dev/build.sh

# Suites of Meson; `e2e`, which needs root; `vm`, which runs e2e in a virtual machine and only when
# it is asked for.
dev_test() {
  local suite="" filter="" all=0 kind=dev argument
  for argument in "$@"; do
    case "$argument" in
      --all) all=1 ;;
      --asan | --tsan) kind=${argument#--} ;;
      -*) die "test: unknown option '$argument'" ;;
      *) if [ -z "$suite" ]; then suite=$argument; else filter=$argument; fi ;;
    esac
  done
  if [ "$suite" = vm ]; then
    source packaging/dev/vm.sh
    # shellcheck disable=SC2086
    run_vm_tests $filter
    return
  fi
  need_packages "${PACKAGES_BUILD[@]}" "${PACKAGES_RUN[@]}" "${PACKAGES_TEST[@]}"
  need_debian_kubectl
  use_ccache
  if [ "$kind" = dev ]; then
    build_dev
  else
    source packaging/dev/sanitize.sh
    sanitize_tests "$kind"
  fi
  [ "$all" = 0 ] || export SKIFF_POWER_CUTS=10000
  local results=build/$kind/test-results
  rm -rf "$results"
  mkdir -p "$results"
  local failed=0
  if [ "$suite" != e2e ]; then
    run_meson_suites "$kind" "$suite" "$filter" "$results/meson.json" || failed=1
  fi
  if [ -z "$suite" ] || [ "$suite" = e2e ]; then
    run_e2e "$kind" "$filter" "$all" "$results/e2e.txt" || failed=1
  fi
  [ "$kind" = dev ] || show_findings "$kind" || failed=1
  python3 packaging/dev/count_results.py "$results" || failed=1
  return "$failed"
}

run_meson_suites() {
  local kind=$1 suite=$2 filter=$3 log=$4 options=() status=0
  [ -z "$suite" ] || options+=(--suite "$suite")
  step "running ${suite:-all} tests"
  # shellcheck disable=SC2086
  meson test -C "build/$kind" -t "${TEST_SLOWNESS:-1}" --no-rebuild --print-errorlogs "${options[@]}" $filter || status=$?
  cp "build/$kind/meson-logs/testlog.json" "$log"
  return "$status"
}

run_e2e() {
  local kind=$1 filter=$2 all=$3 out=$4
  if [ "$(id -u)" -ne 0 ]; then
    step "not root: the e2e suite is left out"
    echo "e2e: 0 passed, 0 failed, 1 skipped" >"$out"
    return 0
  fi
  step "running the e2e suite"
  local options=()
  [ -z "$filter" ] || options+=(--filter "$filter")
  [ "$all" = 0 ] || options+=(--all)
  python3 tests/e2e/run.py --skiff "build/$kind/src/skiff" --summary "$out" "${options[@]}"
}
