# ./dev test vm: the end-to-end tests on cgroup v2 with systemd, in a Debian machine under qemu.

# What the machine has beside a minimal Debian: what a node needs, and what the tests use.
VM_PACKAGES=(systemd-sysv linux-image-cloud-amd64 initramfs-tools kmod udev dbus
  "${PACKAGES_RUN[@]}" "${PACKAGES_TEST[@]}" python3-minimal python3 kubernetes-client nftables)
VM_MEMORY_MB=3072
VM_SECONDS_MAX=${VM_SECONDS_MAX:-3000}

# The root file system: made once for a list of packages and a unit, cached in build/vm, never written
# to by a run.
vm_root() {
  local made_from
  made_from=$(printf '%s\n' "${VM_PACKAGES[@]}" | cat - tests/vm/skiff-test.service | sha256sum)
  [ -f build/vm/root.ext4 ] && [ "$(cat build/vm/made_from 2>/dev/null)" = "$made_from" ] && return 0
  step "making the machine's root file system (once)"
  rm -rf build/vm/root build/vm/root.tar
  mmdebstrap --variant=minbase --include="$(IFS=,; echo "${VM_PACKAGES[*]}")" \
    --customize-hook='rm -f "$1"/etc/systemd/system/multi-user.target.wants/docker-registry.service' \
    --customize-hook='printf "vm\n" >"$1"/etc/hostname' \
    --customize-hook='printf "nameserver 192.0.2.53\n" >"$1"/etc/resolv.conf' \
    --customize-hook='cp "$1"/boot/vmlinuz-* build/vm/vmlinuz && cp "$1"/boot/initrd.img-* build/vm/initrd' \
    bookworm build/vm/root.tar "${VM_SOURCES[@]}" >build/vm/mmdebstrap.log 2>&1 ||
    { tail -n 30 build/vm/mmdebstrap.log >&2 && die "the root file system could not be made; build/vm/mmdebstrap.log"; }
  mkdir build/vm/root
  tar -C build/vm/root -xf build/vm/root.tar
  cp tests/vm/skiff-test.service build/vm/root/etc/systemd/system/
  ln -sf /etc/systemd/system/skiff-test.service build/vm/root/etc/systemd/system/multi-user.target.wants/
  truncate -s 3G build/vm/root.partial
  mkfs.ext4 -q -d build/vm/root build/vm/root.partial
  rm -rf build/vm/root build/vm/root.tar
  mv build/vm/root.partial build/vm/root.ext4
  printf '%s\n' "$made_from" >build/vm/made_from
}

# What is under test, on a disk of its own: the static binary, the tests, the unit.
vm_payload() {
  local folder
  folder=$(mktemp -d)
  cp build/release/skiff "$folder/skiff"
  cp -r tests/e2e tests/vm systemd "$folder"
  printf '%s\n' "$1" >"$folder/filters"
  rm -f build/vm/payload.ext4
  truncate -s 64M build/vm/payload.ext4
  mkfs.ext4 -q -d "$folder" build/vm/payload.ext4
  rm -rf "$folder"
}

# The registries of packages that this machine uses.
vm_sources() {
  VM_SOURCES=(/etc/apt/sources.list /etc/apt/sources.list.d/*)
  local file found=()
  for file in "${VM_SOURCES[@]}"; do
    case "$file" in *debian* | */sources.list) [ ! -s "$file" ] || found+=("$file") ;; esac
  done
  VM_SOURCES=("${found[@]}")
}

# run_vm_tests [FILTER…]: modules or cases of tests/e2e; by default the short form.
run_vm_tests() {
  need_root "test vm"
  need_packages "${PACKAGES_BUILD[@]}" qemu-system-x86 mmdebstrap e2fsprogs
  use_ccache
  [ -x build/release/skiff ] || build_release
  mkdir -p build/vm
  vm_sources
  vm_root
  vm_payload "${*:-test_20 test_26 test_40 test_50}"
  step "starting the machine (software emulation; a run takes a while)"
  local log=build/vm/results.log
  timeout "$VM_SECONDS_MAX" qemu-system-x86_64 -accel tcg,thread=multi -cpu max -smp 2 -m "$VM_MEMORY_MB" \
    -display none -no-reboot -nic none -serial file:build/vm/console.log -serial stdio \
    -kernel build/vm/vmlinuz -initrd build/vm/initrd \
    -append "root=/dev/vda rw console=ttyS0 quiet panic=-1 systemd.show_status=0 loglevel=3" \
    -drive file=build/vm/root.ext4,format=raw,if=virtio,snapshot=on \
    -drive file=build/vm/payload.ext4,format=raw,if=virtio,snapshot=on </dev/null |
    stdbuf -oL tr -d '\r' | tee "$log" | grep --line-buffered -E '^(ok|FAILED|vm:|  |[0-9]+ passed)' || true
  grep -qE '^vm: 0 failed' "$log" || die "the machine's tests failed; all they said is in $log and build/vm/console.log"
}
