# ./dev demo

source packaging/dev/build.sh
source packaging/dev/cluster.sh

DEMO_IMAGE=skiff.demo/page
DEMO_REGISTRY=127.0.0.1:5000

# demo_step TEXT COMMAND…: runs it, prints what it took.
demo_step() {
  local text=$1 start end
  shift
  start=$(date +%s%N)
  # A shell of its own: a step that gives up must not take its message with it.
  if ! ("$@") >"$DEMO_FOLDER/out" 2>&1; then
    printf 'FAILED  %s\n' "$text"
    cat "$DEMO_FOLDER/out" >&2
    return 1
  fi
  end=$(date +%s%N)
  printf '%6d ms  %s\n' $(((end - start) / 1000000)) "$text"
}

demo_kubectl() { kubectl --kubeconfig "$CLUSTER_KUBECONFIG" "$@"; }

demo_wait() {
  local seconds=$1 deadline=$((SECONDS + $1))
  shift
  until "$@"; do
    [ "$SECONDS" -lt "$deadline" ] || return 1
    sleep 0.1
  done
}

demo_registry_up() {
  cat >"$DEMO_FOLDER/registry.yml" <<YAML
version: 0.1
log: {level: error}
storage: {filesystem: {rootdirectory: $DEMO_FOLDER/registry}}
http: {addr: $DEMO_REGISTRY}
YAML
  docker-registry serve "$DEMO_FOLDER/registry.yml" >"$DEMO_FOLDER/registry.log" 2>&1 &
  echo $! >"$DEMO_FOLDER/registry.pid"
  demo_wait 10 curl -sf "http://$DEMO_REGISTRY/v2/" -o /dev/null
}

demo_push() {
  skopeo copy --dest-tls-verify=false "docker-archive:$DEMO_FOLDER/v2.tar" "docker://$DEMO_REGISTRY/page:2"
}

demo_manifest() {
  cat <<YAML
apiVersion: apps/v1
kind: Deployment
metadata: {name: page}
spec:
  replicas: 3
  selector: {matchLabels: {app: page}}
  template:
    metadata: {labels: {app: page}}
    spec:
      terminationGracePeriodSeconds: 5
      containers:
      - name: page
        image: $1
        ports: [{name: http, containerPort: 8080}]
        readinessProbe: {httpGet: {path: /, port: http}, periodSeconds: 1}
        lifecycle: {preStop: {sleep: {seconds: 1}}}
---
apiVersion: v1
kind: Service
metadata: {name: page}
spec:
  type: NodePort
  selector: {app: page}
  ports: [{port: 80, targetPort: http}]
---
apiVersion: v1
kind: Pod
metadata: {name: visitor}
spec:
  terminationGracePeriodSeconds: 1
  containers: [{name: visitor, image: "$DEMO_IMAGE:1", command: [sleep, "100000"]}]
YAML
}

demo_apply() { demo_manifest "$1" | demo_kubectl apply -f -; }
demo_fetch() { curl -sf --max-time 3 "http://$1/" | grep -q "$2"; }
demo_dns() { demo_kubectl exec visitor -- wget -qO- http://page.default.svc.cluster.local/ | grep -q "$1"; }

# A steady load on the ClusterIP while `command` runs; fails when one request failed.
demo_under_load() {
  local address=$1 stop=$DEMO_FOLDER/stop
  shift
  rm -f "$stop" "$DEMO_FOLDER/failed" "$DEMO_FOLDER/served"
  (
    while [ ! -e "$stop" ]; do
      if curl -sf --max-time 3 "http://$address/" -o /dev/null; then echo >>"$DEMO_FOLDER/served"; else echo >>"$DEMO_FOLDER/failed"; fi
    done
  ) &
  local load=$! result=0
  "$@" || result=$?
  sleep 2
  touch "$stop"
  wait "$load"
  echo "$(wc -l <"$DEMO_FOLDER/served") requests served, $(cat "$DEMO_FOLDER/failed" 2>/dev/null | wc -l) failed"
  [ "$result" = 0 ] && [ ! -e "$DEMO_FOLDER/failed" ]
}

demo_roll_out() {
  demo_kubectl set image deploy/page page="$DEMO_REGISTRY/page:2"
  demo_kubectl rollout status deploy/page --timeout=60s
}

# "NAME UID" of a page pod that is not on its way out.
demo_some_pod() {
  demo_kubectl get pod -l app=page -o 'go-template={{range .items}}{{if not .metadata.deletionTimestamp}}{{.metadata.name}} {{.metadata.uid}}{{"\n"}}{{end}}{{end}}' | head -n 1
}

demo_replace_pod() {
  local gone
  gone=$(demo_some_pod | cut -d ' ' -f 1)
  demo_kubectl delete pod "$gone" --timeout=30s
  demo_kubectl rollout status deploy/page --timeout=60s
}

# From outside: inside its namespace nobody can kill a container's first process. Fails while the
# pod has no such process (it may be on its way in or out).
demo_kill_one() {
  local uid victim
  uid=$(demo_some_pod | cut -d ' ' -f 2) || return 1
  [ -n "$uid" ] || return 1
  for victim in $(grep -l "$uid" /proc/[0-9]*/cgroup 2>/dev/null | cut -d / -f 3); do
    [ "$(cat "/proc/$victim/comm" 2>/dev/null)" = httpd ] && kill -9 "$victim" && return 0
  done
  return 1
}
demo_kill_container() {
  demo_wait 10 demo_kill_one || return 1
  demo_wait 30 demo_restarted || return 1
  demo_kubectl rollout status deploy/page --timeout=60s
}
demo_restarted() {
  demo_kubectl get pod -l app=page -o 'jsonpath={.items[*].status.containerStatuses[0].restartCount}' | grep -q '[1-9]'
}

demo_clean_up() {
  demo_kubectl delete deploy/page svc/page pod/visitor --timeout=60s
  demo_wait 30 demo_no_pods
}
demo_no_pods() { [ -z "$(demo_kubectl get pods -o name)" ]; }

demo_end() {
  [ ! -f "$DEMO_FOLDER/registry.pid" ] || kill "$(cat "$DEMO_FOLDER/registry.pid")" 2>/dev/null || true
  rm -rf "$DEMO_FOLDER"
}

# `--nodes N`: a master and workers on boards of their own (demo_nodes.py); else one node.
dev_demo() {
  need_root demo
  local nodes=1
  case "${1:-}" in
    "") ;;
    --nodes) nodes=${2:?demo: --nodes needs a number} ;;
    *) die "demo: unknown option '$1'" ;;
  esac
  need_packages "${PACKAGES_BUILD[@]}" "${PACKAGES_RUN[@]}" "${PACKAGES_TEST[@]}"
  need_kubectl
  use_ccache
  configure dev
  ninja -C build/dev src/skiff >&2
  if [ "$nodes" != 1 ]; then
    python3 packaging/dev/demo_nodes.py --skiff build/dev/src/skiff --nodes "$nodes"
    return
  fi
  local skiff=build/dev/src/skiff started=0
  DEMO_FOLDER=$(mktemp -d)
  trap demo_end EXIT
  if ! cluster_pid >/dev/null; then
    started=1
    demo_step "start a node" cluster_start "$skiff"
    demo_step "the node is Ready" cluster_wait_ready 60
  fi
  demo_step "make two versions of an image from Debian's busybox" demo_images
  demo_step "import the first" "$skiff" image import --data-dir "$CLUSTER_DATA" --runtime-dir "$CLUSTER_RUNTIME" "$DEMO_FOLDER/v1.tar"
  demo_step "start a registry" demo_registry_up
  demo_step "push the second to it" demo_push
  demo_step "apply a Deployment of 3 and a Service" demo_apply "$DEMO_IMAGE:1"
  demo_step "all are Ready" demo_kubectl rollout status deploy/page --timeout=60s
  demo_step "the visitor is Ready" demo_kubectl wait --for=condition=Ready pod/visitor --timeout=30s
  local address port node
  address=$(demo_kubectl get svc page -o 'jsonpath={.spec.clusterIP}')
  port=$(demo_kubectl get svc page -o 'jsonpath={.spec.ports[0].nodePort}')
  node=$(demo_kubectl get node -o 'jsonpath={.items[0].status.addresses[0].address}')
  demo_step "the page by its ClusterIP $address" demo_wait 10 demo_fetch "$address" "version 1"
  demo_step "the page by the node's port $node:$port" demo_wait 10 demo_fetch "$node:$port" "version 1"
  demo_step "the page by its DNS name, from a pod" demo_wait 10 demo_dns "version 1"
  demo_step "roll out the second version, pulled, under load" demo_under_load "$address" demo_roll_out
  printf '           %s\n' "$(tail -n 1 "$DEMO_FOLDER/out")"
  demo_step "it is the second version" demo_fetch "$address" "version 2"
  demo_step "delete a pod; another takes its place" demo_replace_pod
  demo_step "kill a container; it is started again" demo_kill_container
  demo_step "clean up" demo_clean_up
  if [ "$started" = 1 ]; then
    source packaging/dev/down.sh
    demo_step "stop the node" dev_down --purge
  fi
}

demo_images() {
  python3 tests/e2e/images.py "$DEMO_FOLDER/v1.tar" "$DEMO_IMAGE:1" "version 1"
  python3 tests/e2e/images.py "$DEMO_FOLDER/v2.tar" "$DEMO_IMAGE:2" "version 2"
}
