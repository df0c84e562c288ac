# ./dev up

source packaging/dev/build.sh
source packaging/dev/cluster.sh

dev_up() {
  need_root up
  need_packages "${PACKAGES_BUILD[@]}" "${PACKAGES_RUN[@]}"
  need_kubectl
  use_ccache
  configure dev
  step "building build/dev"
  ninja -C build/dev src/skiff
  if cluster_pid >/dev/null; then
    step "already running (process $(cluster_pid)); './dev down' stops it"
  else
    step "starting skiff"
    cluster_start build/dev/src/skiff
  fi
  cluster_wait_ready 60
  cat <<TEXT
The node is Ready.
  export KUBECONFIG=$CLUSTER_KUBECONFIG
  kubectl get nodes
  kubectl get pods --all-namespaces
The log is in $CLUSTER_LOG. './dev demo' shows a workload, './dev down' stops everything.
TEXT
}
