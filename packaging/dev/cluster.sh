# The one-node cluster of ./dev up, down and demo.

CLUSTER_DATA=${SKIFF_DATA_DIR:-/var/lib/skiff}
CLUSTER_RUNTIME=${SKIFF_RUNTIME_DIR:-/run/skiff}
CLUSTER_KUBECONFIG=$CLUSTER_DATA/admin.kubeconfig
CLUSTER_LOG=$CLUSTER_DATA/skiff.log

# The process id of the running skiff.
cluster_pid() {
  local pid
  pid=$(cat "$CLUSTER_RUNTIME/skiff.pid" 2>/dev/null) || return 1
  [ -n "$pid" ] && [ "$(basename "$(readlink "/proc/$pid/exe" 2>/dev/null)")" = skiff ] && echo "$pid"
}

cluster_start() {
  local skiff=$1
  mkdir -p "$CLUSTER_DATA" "$CLUSTER_RUNTIME"
  setsid "$skiff" run --data-dir "$CLUSTER_DATA" --runtime-dir "$CLUSTER_RUNTIME" \
    >>"$CLUSTER_LOG" 2>&1 </dev/null &
  echo $! >"$CLUSTER_RUNTIME/skiff.pid"
}

cluster_wait_ready() {
  local seconds=$1 deadline=$((SECONDS + $1))
  while [ "$SECONDS" -lt "$deadline" ]; do
    cluster_pid >/dev/null || {
      tail -n 20 "$CLUSTER_LOG" >&2
      die "skiff ended; the lines above are the end of $CLUSTER_LOG"
    }
    if [ -f "$CLUSTER_KUBECONFIG" ] &&
      kubectl --kubeconfig "$CLUSTER_KUBECONFIG" wait node --all --for=condition=Ready --timeout=5s \
        >/dev/null 2>&1; then
      return 0
    fi
    sleep 0.2
  done
  tail -n 20 "$CLUSTER_LOG" >&2
  die "the node was not Ready within $seconds seconds; the lines above are the end of $CLUSTER_LOG"
}

cluster_stop() {
  local pid
  pid=$(cluster_pid) || return 0
  kill "$pid"
  local i
  for i in $(seq 100); do
    cluster_pid >/dev/null || return 0
    sleep 0.1
  done
  die "skiff (process $pid) did not stop within 10 seconds"
}
