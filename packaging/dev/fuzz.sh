# ./dev fuzz

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
  need_packages "${PACKAGES_BUILD[@]}" clang libclang-rt-14-dev
  if [ ! -f build/fuzz/build.ninja ]; then
    CC=clang CXX=clang++ configure fuzz -Dfuzz=true -Dtests=false -Db_lundef=false \
      -Db_sanitize=address,undefined
  fi
  step "building the fuzzers"
  ninja -C build/fuzz
  local program name passed=0 failed=0
  for program in build/fuzz/tests/fuzz/*_fuzz; do
    [ -x "$program" ] || continue
    name=$(basename "$program" _fuzz)
    [ -z "$only" ] || [ "$only" = "$name" ] || continue
    step "$name for $seconds s"
    mkdir -p "build/fuzz/corpus/$name" "build/fuzz/findings/$name"
    local seeds=()
    [ ! -d "tests/fuzz/corpus/$name" ] || seeds=("tests/fuzz/corpus/$name")
    if "$program" -max_total_time="$seconds" -rss_limit_mb=2048 -timeout=10 -print_final_stats=0 \
      -artifact_prefix="build/fuzz/findings/$name/" "build/fuzz/corpus/$name" "${seeds[@]}" \
      >"build/fuzz/$name.log" 2>&1; then
      passed=$((passed + 1))
    else
      failed=$((failed + 1))
      tail -n 30 "build/fuzz/$name.log" >&2
    fi
  done
  printf '%s passed, %s failed\n' "$passed" "$failed"
  [ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
}
