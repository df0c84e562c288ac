"""Tokens to join with, and what a master answers to a board that has one: by hand, with curl."""
import json
import pathlib
import re
import shutil
import tempfile
import time

from host import expect, wait_for
from machine import must, run
from topology import MASTER_IP, ROUTER_IP, MasterAlone, Worker

TOKEN = r"K10[0-9a-f]{64}::[0-9a-f]{10}:[0-9a-f]{32}"


def make_environment(skiff):
    return TokenCluster(skiff)


class TokenCluster(MasterAlone):
    """A master whose first token was made before it had ever run."""

    def __init__(self, skiff):
        super().__init__(skiff, "tokens")
        self.skiff, self.guests = skiff, []
        self.prepared = None
        self.boards = pathlib.Path(tempfile.mkdtemp(prefix="skiff-boards-"))

    def create(self):
        start, self.master.start = self.master.start, lambda: None
        wait_api, self.master.wait_api = self.master.wait_api, lambda: None
        super().create()
        self.master.start, self.master.wait_api = start, wait_api
        self.prepared = self.token("generate", "--ttl", "0", "--description", "in the image")
        start()
        wait_api()

    def destroy(self):
        shutil.rmtree(self.boards)
        left = [f"{guest.name}: {line}" for guest in self.guests for line in guest.destroy()]
        return left + super().destroy()

    def guest(self, name):
        """A board with skiff on the master's network."""
        address = f"192.0.2.{60 + len(self.guests)}"
        worker = Worker(self.skiff, "tokens", name, address)
        worker.create()
        self.lan.plug(worker, f"{address}/24", ROUTER_IP)
        self.guests.append(worker)
        return worker

    def joins(self, name, token):
        worker = self.guest(name)
        worker.join(token)
        wait_for(lambda: (worker.data / "node" / "cluster.json").exists(), 20, f"{name} joins: {worker.log_tail()}")
        worker.stop()

    def is_refused(self, name, token, pattern):
        worker = self.guest(name)
        worker.join(token)
        code, log = worker.ended()
        assert code == 1, log
        expect(log, pattern, name)

    def wait_offered(self, check):
        """What /skiff/v1/ca tells anybody."""
        def offered():
            out = must(self.hosts["near"].command(["curl", "-sSk", "--max-time", "10", f"https://{MASTER_IP}:6443/skiff/v1/ca"]))
            return json.loads(out)["certificateAuthorities"]
        wait_for(lambda: check(offered()), 15, "the authorities that boards are told of")

    def token(self, *arguments):
        return must_run(self.token_command(*arguments))

    def token_command(self, *arguments):
        return self.master.skiff_command("token", *arguments, *self.master.folder_flags())


def must_run(result):
    assert result.returncode == 0, result
    return result.stdout.strip()


class Board:
    """Joins from another host, without skiff."""

    def __init__(self, cluster, name, host="near"):
        self.cluster, self.name, self.host = cluster, name, cluster.hosts[host]
        self.folder = pathlib.Path(tempfile.mkdtemp(dir=cluster.boards))
        must(["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", self.folder / "key"])
        self.request = must(["openssl", "req", "-new", "-key", self.folder / "key", "-subj", "/CN=any"])

    def curl(self, path, *arguments):
        ca = self.cluster.master.data / "pki" / "ca.crt"
        out = run(self.host.command(["curl", "-sS", "--max-time", "10", "--cacert", ca, "-w", "\n%{http_code}", *arguments, f"https://{MASTER_IP}:6443{path}"]))
        assert out.returncode == 0, out
        body, code = out.stdout.rsplit("\n", 1)
        return int(code), json.loads(body)

    def join(self, token=None, **more):
        body = {"nodeName": self.name, "signingRequest": self.request, **more}
        if token:
            body["tokenID"], body["tokenSecret"] = token.split("::")[1].split(":")
        return self.curl("/skiff/v1/join", "-H", "Content-Type: application/json", "-d", json.dumps(body))


def generated_before_the_first_start(cluster):
    expect(cluster.prepared, f"^{TOKEN}$", "token generate")
    listed = json.loads(cluster.token("list", "-o", "json"))
    assert [(t["description"], "expires" in t) for t in listed] == [("in the image", False)], listed
    key = run(["openssl", "x509", "-in", cluster.master.data / "pki" / "ca.crt", "-noout", "-pubkey"]).stdout
    der = run(["openssl", "pkey", "-pubin", "-outform", "DER", "-out", cluster.master.folder / "ca.der"], input=key)
    assert der.returncode == 0, der
    digest = must(["sha256sum", cluster.master.folder / "ca.der"]).split()[0]
    assert cluster.prepared.startswith(f"K10{digest}::"), "the token does not name the key of the CA"
    assert not list((cluster.master.data / "pki" / "join-tokens").glob("*")), "the file was not taken over"
    code, answer = Board(cluster, "imaged").join(cluster.prepared)
    assert code == 200, answer


def create_list_delete(cluster):
    out = cluster.token("create", "--ttl", "90m", "--uses", "2", "--node-name", "n7", "--description", "roof")
    expect(out.splitlines()[-1], f"^{TOKEN}$", "the last line of create")
    token_id = out.split("::")[1].split(":")[0]
    row = next(line for line in cluster.token("list").splitlines() if line.startswith(token_id))
    expect(row, r"\d{4}-\d\d-\d\dT.*Z\s+2\s+n7\s+roof$", "list")
    secret = cluster.master.get("secret", "-n", "kube-system", f"join-token-{token_id}")
    assert out.split(":")[-1] not in json.dumps(secret), "the secret is kept in clear"
    cluster.token("delete", token_id)
    assert token_id not in cluster.token("list")
    gone = cluster.token_command("delete", token_id)
    assert gone.returncode == 1
    expect(gone.stderr, "there is no token", "delete twice")
    code, answer = Board(cluster, "n7").join(out)
    assert code == 403, answer
    expect(answer["message"], "is not known to this cluster", "a deleted token")


def rotate(cluster):
    old = cluster.token("create")
    new = cluster.token("rotate", old.split("::")[1].split(":")[0])
    assert new.split("::")[1].split(":")[0] in old and new != old
    board = Board(cluster, "rotated")
    assert board.join(old)[0] == 403
    assert board.join(new)[0] == 200


def join_command(cluster):
    out = cluster.token("create", "--print-join-command")
    expect(out, rf"^skiff run --role worker --server https://{re.escape(MASTER_IP)}:6443 --token {TOKEN}$", "the command")


def wrong_words(cluster):
    for words, code, said in ((["frob"], 2, 'there is no command "frob"'), (["delete"], 2, '"token delete" needs ID'),
                              (["rotate", "0000000000"], 1, 'there is no token "0000000000"'), (["delete", "0000000000"], 1, 'there is no token "0000000000"')):
        result = cluster.token_command(*words)
        assert result.returncode == code, result
        expect(result.stderr, said, words)
    # Also behind the flags.
    result = cluster.master.skiff_command("token", "delete", *cluster.master.folder_flags(), "0000000000")
    expect(result.stderr, 'there is no token "0000000000"', "an id behind the flags")


def wrong_flags(cluster):
    for flags, words in ((("--ttl", "5x"), "no time such as"), (("--uses", "0"), "no number"), (("--node-name", "A_B"), "node-name")):
        result = cluster.token_command("create", *flags)
        assert result.returncode == 2, result
        expect(result.stderr, words, flags)


def a_single_use_survives_a_kill(cluster):
    token = cluster.token("create", "--uses", "1")
    first, second = Board(cluster, "once"), Board(cluster, "twice", "hidden")
    assert first.join(token)[0] == 200
    cluster.master.kill()
    cluster.master.start()
    cluster.master.wait_api()
    code, answer = second.join(token)
    assert code == 403, answer
    expect(answer["message"], "is used up", "a single use")
    assert first.join()[0] == 200, "a known key needs no token"


def the_certificate_is_the_node(cluster):
    token = cluster.token("create")
    board = Board(cluster, "proved", "far")
    code, answer = board.join(token)
    assert code == 200, answer
    (board.folder / "crt").write_text(answer["certificate"])
    identity = ["--cert", board.folder / "crt", "--key", board.folder / "key"]
    code, who = board.curl("/apis/authentication.k8s.io/v1/selfsubjectreviews", *identity, "-H", "Content-Type: application/json",
                           "-d", json.dumps({"kind": "SelfSubjectReview", "apiVersion": "authentication.k8s.io/v1"}))
    assert code == 201 and who["status"]["userInfo"]["username"] == "system:node:proved", who
    assert "system:nodes" in who["status"]["userInfo"]["groups"], who
    assert board.curl("/api/v1/nodes/proved", *identity)[0] == 200
    # Nobody without a certificate reads what the board may.
    assert board.curl("/api/v1/nodes/proved")[0] == 403


def two_boards_with_one_name(cluster):
    token = cluster.token("create")
    first, second = Board(cluster, "one-name"), Board(cluster, "one-name", "far")
    assert first.join(token)[0] == 200
    code, answer = second.join(token)
    assert code == 409, answer
    expect(answer["message"], "skiff token create --node-name one-name", "what to do")
    assert second.join(token, replace=True)[0] == 403
    bound = cluster.token("create", "--node-name", "one-name")
    assert second.join(bound, replace=True)[0] == 200
    assert first.join()[0] == 403


def short_tokens(cluster):
    out = cluster.token("create", "--no-ca-hash", "--uses", "1")
    expect(out, "^[0-9a-f]{10}:[0-9a-f]{32}$", "create --no-ca-hash")
    token_id, secret = out.split(":")
    assert secret not in json.dumps(cluster.master.get("secret", "-n", "kube-system", f"join-token-{token_id}"))
    wrong = out[:-1] + ("1" if out[-1] == "0" else "0")
    cluster.is_refused("guesses", wrong, "is not proved over this connection")
    cluster.joins("typed", out)
    used = cluster.guest("too-late")
    used.join(out)
    code, log = used.ended()
    assert code == 1, log
    expect(log, "is used up", "a short token with one use")
    rotated = cluster.token("rotate", token_id, "--uses", "1")
    expect(rotated, f"^{token_id}:[0-9a-f]{{32}}$", "rotate keeps the form")
    whole = cluster.token("create")
    cluster.is_refused("cut", whole.split("::")[1], "lacks its first part")


def served_ca(cluster):
    return cluster.master.data / "pki" / "ca.crt"


def begin_two_years_ago(cluster):
    """The CA that signs, with the same key, as if it had been made then: so the overlap is over."""
    folder = cluster.master.folder / "resign"
    folder.mkdir()
    (folder / "index.txt").touch()
    (folder / "serial").write_text("77")
    (folder / "conf").write_text(f"""[ca]
default_ca=d
[d]
database={folder}/index.txt
serial={folder}/serial
new_certs_dir={folder}
default_md=sha256
policy=p
x509_extensions=x
[p]
commonName=supplied
[x]
basicConstraints=critical,CA:TRUE
keyUsage=critical,digitalSignature,keyCertSign,cRLSign
subjectKeyIdentifier=hash
""")
    key = cluster.master.data / "pki" / "ca.key"
    subject = must(["openssl", "x509", "-in", served_ca(cluster), "-noout", "-subject", "-nameopt", "compat"]).split("CN")[1].strip(" =\n")
    must(["openssl", "req", "-new", "-key", key, "-subj", f"/CN={subject}", "-out", folder / "csr"])
    must(["openssl", "ca", "-batch", "-notext", "-selfsign", "-config", folder / "conf", "-keyfile", key, "-in", folder / "csr", "-out", folder / "crt",
          "-startdate", time.strftime("%Y%m%d%H%M%SZ", time.gmtime(time.time() - 2 * 365 * 86400)), "-days", "3650"])
    served_ca(cluster).write_text((folder / "crt").read_text())


def printed_tokens_outlive_a_ca(cluster):
    """By skiff itself: the board checks the CA against the token."""
    token, gone = cluster.token("create", "--ttl", "7d"), cluster.token("create", "--ttl", "7d")
    old_ca = served_ca(cluster).read_text()
    must_run(cluster.master.skiff_command("certs", "rotate-ca", *cluster.master.folder_flags()))
    cluster.master.stop()
    begin_two_years_ago(cluster)
    cluster.master.start()
    cluster.master.wait_api()
    must_run(cluster.master.skiff_command("certs", "rotate-ca", "finish", *cluster.master.folder_flags()))
    cluster.wait_offered(lambda offered: old_ca in offered and offered.count("BEGIN CERTIFICATE") == 2)
    assert (cluster.master.data / "pki" / "ca-retired.crt").read_text() == old_ca
    cluster.joins("printed", token)
    must_run(cluster.master.skiff_command("certs", "rotate-ca", *cluster.master.folder_flags()))
    must_run(cluster.master.skiff_command("certs", "rotate-ca", "finish-now", *cluster.master.folder_flags()))
    cluster.wait_offered(lambda offered: old_ca not in offered and offered.count("BEGIN CERTIFICATE") == 1)
    cluster.is_refused("late", gone, "is not the one in the token")


def without_a_master(cluster):
    cluster.master.stop()
    result = cluster.token_command("create")
    assert result.returncode == 1, result
    expect(result.stderr, "does not answer", "create without a master")
    cluster.master.start()
    cluster.master.wait_api()


TESTS = [("generated before the first start", generated_before_the_first_start), ("create, list, delete", create_list_delete), ("rotate", rotate),
         ("join command", join_command), ("wrong words", wrong_words), ("wrong flags", wrong_flags), ("a single use survives a kill", a_single_use_survives_a_kill),
         ("the certificate is the node", the_certificate_is_the_node), ("two boards with one name", two_boards_with_one_name),
         ("tokens that name no CA", short_tokens),
         ("printed tokens outlive a CA", printed_tokens_outlive_a_ca), ("without a master", without_a_master)]
