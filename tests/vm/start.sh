# Inside of the virtual machine; its second serial line carries the results.
# Software emulation is slow.
export SKIFF_E2E_SLOWNESS=4
exec python3 /mnt/payload/vm/run.py >/dev/ttyS1 2>&1
