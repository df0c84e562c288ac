# ./dev doctor

doctor_line() { printf '%-14s %s\n' "$1" "$2"; }

dev_doctor() {
  doctor_line system "$(. /etc/os-release && echo "$PRETTY_NAME"), kernel $(uname -r)"
  doctor_line user "$(id -un)$([ "$(id -u)" -eq 0 ] || echo ' (tests that make namespaces need root)')"
  doctor_line cores "$(nproc), $(awk '/MemTotal/ {printf "%.1f GiB memory", $2 / 1048576}' /proc/meminfo)"
  local package missing=()
  for package in "${PACKAGES_BUILD[@]}" "${PACKAGES_RUN[@]}" "${PACKAGES_TEST[@]}"; do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
  done
  doctor_line packages "${missing[*]:-all installed}${missing[*]:+ are missing; ./dev build and ./dev test install them}"
  doctor_line kubectl "$(command -v kubectl || echo 'none; ./dev test installs kubernetes-client')"
  doctor_line ccache "$(ccache -s 2>/dev/null | awk -F: '/Hits/ {print $2; exit}' || true)"
  [ ! -x build/dev/src/skiff ] || build/dev/src/skiff check || true
}
