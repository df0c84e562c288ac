# ./dev down

source packaging/dev/cluster.sh

dev_down() {
  need_root down
  step "stopping skiff"
  cluster_stop
  if [ -x build/dev/src/skiff ]; then
    step "ending its pods"
    build/dev/src/skiff reset --data-dir "$CLUSTER_DATA" --runtime-dir "$CLUSTER_RUNTIME"
  fi
  if [ "${1:-}" = --purge ]; then
    step "deleting $CLUSTER_DATA and $CLUSTER_RUNTIME"
    rm -rf --one-file-system "$CLUSTER_DATA" "$CLUSTER_RUNTIME"
  fi
}
