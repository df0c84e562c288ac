# ./dev fuzz

source packaging/dev/build.sh

# Every tests/fuzz/<name>_fuzz.cpp runs with clang's libFuzzer, address and undefined sanitizers.
dev_fuzz() {
  local only="" seconds=60
  while [ $# -gt 0 ]; do
    case "$1" in
      --seconds) seconds=$2 && shift ;;
      -*) die "fuzz: unknown option '$1'" ;;
      *) only=$1 ;;
    esac
    shift
  done
  need_packages "${PACKAGES_BUILD[@]}" "${PACKAGES_CLANG[@]}"
  use_ccache
  configure_asan
  local names=("$only") target=tests/fuzz/${only}_fuzz
  if [ -z "$only" ]; then
    mapfile -t names < <(basename -s _fuzz.cpp tests/fuzz/*_fuzz.cpp)
    target=fuzzers
  fi
  step "building $target"
  ninja -C build/asan "$target"
  rm -f build/asan/*.result
  printf '%s\n' "${names[@]}" | xargs -P "$(nproc)" -I{} bash -c "set -euo pipefail
    source packaging/dev/common.sh
    source packaging/dev/fuzz.sh
    fuzz_one {} $seconds" || true
  local passed
  passed=$(cat build/asan/*.result | grep -c passed) || true
  printf '%s passed, %s failed\n' "$passed" $((${#names[@]} - passed))
  [ "$passed" -eq ${#names[@]} ]
}

# fuzz_one NAME SECONDS: the result is in build/asan/NAME.result.
fuzz_one() {
  local name=$1 seconds=$2 result=passed
  step "$name for $seconds s"
  mkdir -p "build/asan/corpus/$name" "build/asan/findings/$name"
  "build/asan/tests/fuzz/${name}_fuzz" -max_total_time="$seconds" -rss_limit_mb=2048 -timeout=10 \
    -print_final_stats=0 -artifact_prefix="build/asan/findings/$name/" "build/asan/corpus/$name" \
    "tests/fuzz/corpus/$name" >"build/asan/$name.log" 2>&1 || result=failed
  [ "$result" = passed ] || tail -n 30 "build/asan/$name.log" >&2
  echo "$result" >"build/asan/$name.result"
}
