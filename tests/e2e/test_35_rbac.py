"""Who may do what: roles and bindings through kubectl, tokens of accounts, refusals and their texts."""
import json
import os

from host import expect, run

NAMESPACE = "rbac"


def token_kubectl(host, account):
    """A kubectl with the token of an account of NAMESPACE and nothing else."""
    token = host.kubectl_ok("create", "token", account, "-n", NAMESPACE).strip()
    config = json.loads(host.kubectl_ok("config", "view", "--raw", "-o", "json"))
    config["users"] = [{"name": user["name"], "user": {"token": token}} for user in config["users"]]
    path = host.folder / f"{account}.kubeconfig"
    path.write_text(json.dumps(config))
    binary = list(host.kubectls.values())[-1]
    home = host.folder / f"home-{account}"
    home.mkdir(exist_ok=True)

    def call(*arguments, stdin=None):
        return run(host.command([binary, "--kubeconfig", path, *arguments]), input=stdin, timeout=60,
                   env={**os.environ, "HOME": str(home)})
    return call


def check(result, code, pattern, where):
    assert result.returncode == code, f"{where}: exit code {result.returncode}: {result.stdout}{result.stderr}"
    expect(result.stdout + result.stderr, pattern, where)


def prepare(host):
    host.kubectl_ok("create", "namespace", NAMESPACE)
    for version in host.kubectls:
        suffix = version.replace(".", "-")
        host.kubectl_ok("create", "role", f"reader-{suffix}", "--verb=get,list,watch", "--resource=pods,pods/log", "-n", NAMESPACE, version=version)
        host.kubectl_ok("create", "rolebinding", f"reader-{suffix}", f"--role=reader-{suffix}", f"--serviceaccount={NAMESPACE}:robot-{suffix}", "-n", NAMESPACE, version=version)
        host.kubectl_ok("create", "clusterrole", f"nodes-{suffix}", "--verb=list", "--resource=nodes", version=version)
        host.kubectl_ok("create", "clusterrolebinding", f"nodes-{suffix}", f"--clusterrole=nodes-{suffix}", f"--user=jane-{suffix}", version=version)
    for account in ("robot", "smith"):
        host.kubectl_ok("create", "serviceaccount", account, "-n", NAMESPACE)


def tables(host):
    out = host.kubectl_ok("get", "rolebindings", "-n", NAMESPACE, "-o", "wide")
    expect(out, r"^NAME\s+ROLE\s+AGE\s+USERS\s+GROUPS\s+SERVICEACCOUNTS", "wide table")
    expect(out, r"Role/reader-\S+\s+\d+s\s+rbac/robot-", "row")
    expect(host.kubectl_ok("get", "clusterroles"), r"^view\s+20\d\d-", "cluster roles")
    expect(host.kubectl_ok("describe", "clusterrole", "edit"), r"deployments\.apps/scale", "edit gathers rules")


def can_i(host):
    for version in host.kubectls:
        jane = f"--as=jane-{version.replace('.', '-')}"
        check(host.kubectl("auth", "can-i", "list", "nodes", jane, version=version), 0, r"^yes$", f"{version} yes")
        check(host.kubectl("auth", "can-i", "delete", "nodes", jane, version=version), 1, r"^no$", f"{version} no")
        check(host.kubectl("auth", "can-i", "get", "/version", jane, version=version), 0, r"^yes$", f"{version} path")
        out = host.kubectl_ok("auth", "can-i", "--list", jane, version=version)
        expect(out, r"^nodes\s+\[\]\s+\[\]\s+\[list\]", f"{version} list")
        expect(out, r"selfsubjectaccessreviews\.authorization\.k8s\.io\s+\[\]\s+\[\]\s+\[create\]", f"{version} basic user")
        check(host.kubectl("auth", "can-i", "*", "*", version=version), 0, r"^yes$", f"{version} admin")


def whoami(host):
    versions = [v for v in host.kubectls if int(v.split(".")[1]) >= 28]
    for version in versions:
        out = host.kubectl_ok("auth", "whoami", "--as=jane", "--as-group=dev", version=version)
        expect(out, r"^Username\s+jane$", version)
        expect(out, r"^Groups\s+\[dev system:authenticated\]$", version)


def account_with_binding(host):
    robot = token_kubectl(host, "robot")
    check(robot("get", "pods", "-n", NAMESPACE), 1,
          r'^Error from server \(Forbidden\): pods is forbidden: User "system:serviceaccount:rbac:robot" cannot list '
          r'resource "pods" in API group "" in the namespace "rbac"$', "before the binding")
    check(robot("api-resources"), 0, r"^pods\s", "discovery")
    host.kubectl_ok("create", "rolebinding", "robot", "--clusterrole=view", f"--serviceaccount={NAMESPACE}:robot", "-n", NAMESPACE)
    check(robot("get", "pods", "-n", NAMESPACE), 0, r"No resources found", "with the binding")
    check(robot("get", "pods", "-n", "default"), 1, r'in the namespace "default"', "another namespace")
    check(robot("get", "secrets", "-n", NAMESPACE), 1, r'cannot list resource "secrets"', "view has no secrets")
    check(robot("get", "nodes"), 1, r'cannot list resource "nodes" in API group "" at the cluster scope', "cluster scope")
    check(robot("get", "--raw", "/metrics"), 1, r'forbidden: User "system:serviceaccount:rbac:robot" cannot get path "/metrics"', "path")
    host.kubectl_ok("delete", "rolebinding", "robot", "-n", NAMESPACE)
    check(robot("get", "pods", "-n", NAMESPACE), 1, r"Forbidden", "without it again")


def missing_role(host):
    host.kubectl_ok("create", "rolebinding", "lost", "--clusterrole=nowhere", f"--serviceaccount={NAMESPACE}:robot", "-n", NAMESPACE)
    robot = token_kubectl(host, "robot")
    check(robot("get", "pods", "-n", NAMESPACE), 1,
          r': RBAC: clusterrole\.rbac\.authorization\.k8s\.io "nowhere" not found$', "the missing role is named")
    host.kubectl_ok("delete", "rolebinding", "lost", "-n", NAMESPACE)


def escalation(host):
    host.kubectl_ok("create", "rolebinding", "smith", "--clusterrole=admin", f"--serviceaccount={NAMESPACE}:smith", "-n", NAMESPACE)
    smith = token_kubectl(host, "smith")
    check(smith("create", "role", "ok", "--verb=get", "--resource=pods", "-n", NAMESPACE), 0, r"created", "what admin has")
    refused = smith("create", "role", "climb", "--verb=get,list", "--resource=nodes", "-n", NAMESPACE)
    check(refused, 1, r'roles\.rbac\.authorization\.k8s\.io "climb" is forbidden: user "system:serviceaccount:rbac:smith" \(groups=\["system:serviceaccounts" '
          r'"system:serviceaccounts:rbac" "system:authenticated"\]\) is attempting to grant RBAC permissions not currently held:$', "role")
    expect(refused.stderr, r'^\{APIGroups:\[""\], Resources:\["nodes"\], Verbs:\["get" "list"\]\}$', "missing rule")
    check(smith("create", "rolebinding", "climb", "--clusterrole=cluster-admin", f"--serviceaccount={NAMESPACE}:smith", "-n", NAMESPACE), 1,
          r'is attempting to grant RBAC permissions not currently held', "binding")
    check(smith("create", "rolebinding", "edit", "--clusterrole=edit", f"--serviceaccount={NAMESPACE}:robot", "-n", NAMESPACE), 0, r"created", "a smaller role")
    check(smith("patch", "role", "ok", "-n", NAMESPACE, "--type=merge", "-p", '{"rules":[{"apiGroups":["*"],"resources":["*"],"verbs":["*"]}]}'), 1,
          r"not currently held", "patch")
    check(smith("get", "secrets", "-n", "kube-system"), 1, r"Forbidden", "another namespace")


def impersonation(host):
    smith = token_kubectl(host, "smith")
    check(smith("get", "pods", "-n", NAMESPACE, "--as=admin", "--as-group=system:masters"), 1,
          r'pods is forbidden: User "system:serviceaccount:rbac:smith" cannot impersonate-on:user-info:list resource "pods"', "users")
    check(smith("get", "pods", "-n", NAMESPACE, f"--as=system:serviceaccount:{NAMESPACE}:robot"), 0, r"No resources found", "accounts of its namespace")
    check(smith("get", "pods", "-n", "default", "--as=system:serviceaccount:default:default"), 1, r'cannot impersonate-on:serviceaccount:list resource "pods"', "accounts elsewhere")


def role_reference(host):
    binding = json.loads(host.kubectl_ok("get", "rolebinding", "smith", "-n", NAMESPACE, "-o", "json"))
    binding["roleRef"]["name"] = "view"
    check(host.kubectl("replace", "-f", "-", stdin=json.dumps(binding)), 1, r"roleRef: Invalid value: .*: cannot change roleRef", "roleRef")


def reconcile(host):
    manifest = """
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: reconciled}
rules:
- {apiGroups: [""], resources: [pods], verbs: [get, list]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: reconciled}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: reconciled}
subjects: [{kind: User, name: joe, apiGroup: rbac.authorization.k8s.io}]
"""
    for version in host.kubectls:
        out = host.kubectl_ok("auth", "reconcile", "-f", "-", version=version, stdin=manifest)
        expect(out, r"clusterrole.rbac.authorization.k8s.io/reconciled reconciled", version)
        wider = manifest.replace("verbs: [get, list]", "verbs: [get, watch]").replace("name: joe", "name: jim")
        host.kubectl_ok("auth", "reconcile", "-f", "-", version=version, stdin=wider)
        rules = host.get("clusterrole", "reconciled")["rules"]
        verbs = {verb for rule in rules for verb in rule["verbs"]}
        assert verbs == {"get", "list", "watch"}, rules
        assert len(host.get("clusterrolebinding", "reconciled")["subjects"]) == 2
        host.kubectl_ok("delete", "clusterrole,clusterrolebinding", "reconciled")


def aggregation(host):
    host.kubectl_ok("apply", "-f", "-", stdin="""
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata:
  name: songs
  labels: {rbac.authorization.k8s.io/aggregate-to-view: "true"}
rules:
- {apiGroups: [music.example.com], resources: [songs], verbs: [sing]}
""")
    from host import wait_for

    def gathered(role):
        return any("songs" in rule.get("resources", []) for rule in host.get("clusterrole", role).get("rules") or [])
    for role in ("view", "edit", "admin"):
        wait_for(lambda: gathered(role), 10, f"{role} gathers the rule")
    host.kubectl_ok("delete", "clusterrole", "songs")
    for role in ("view", "edit", "admin"):
        wait_for(lambda: not gathered(role), 10, f"{role} lets the rule go")


def restart_mends(host):
    host.kubectl_ok("delete", "clusterrole", "system:basic-user")
    host.kubectl_ok("patch", "clusterrolebinding", "system:discovery", "--type=merge", "-p", '{"subjects":null}')
    host.stop()
    host.start()
    host.wait_api()
    subjects = host.get("clusterrolebinding", "system:discovery")["subjects"]
    assert [subject["name"] for subject in subjects] == ["system:authenticated"], subjects
    host.get("clusterrole", "system:basic-user")
    versions = {o["metadata"]["name"]: o["metadata"]["resourceVersion"] for o in host.get("clusterroles")["items"]}
    host.stop()
    host.start()
    host.wait_api()
    again = {o["metadata"]["name"]: o["metadata"]["resourceVersion"] for o in host.get("clusterroles")["items"]}
    assert versions == again, "a start without differences wrote roles"


def clean_up(host):
    host.kubectl_ok("delete", "namespace", NAMESPACE)


TESTS = [("prepare", prepare), ("tables", tables), ("auth can-i", can_i), ("auth whoami", whoami), ("an account gets what its binding gives", account_with_binding),
         ("a missing role is named", missing_role), ("escalation is refused", escalation), ("impersonation", impersonation),
         ("roleRef stays", role_reference), ("auth reconcile", reconcile), ("roles gather rules", aggregation),
         ("a restart mends default roles", restart_mends), ("clean up", clean_up)]
