# Inside of the virtual machine; its second serial line carries the results.
exec python3 /mnt/payload/vm/run.py >/dev/ttyS1 2>&1
