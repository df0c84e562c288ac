# ./dev fmt

dev_fmt() {
  need_packages clang-format
  git ls-files '*.cpp' '*.h' '*.c' | xargs clang-format -i
}
