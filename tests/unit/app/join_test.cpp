// Joining from the worker's side, against real masters on loopback, and against strangers.
#include <skiff/base/strings.h>
#include <skiff/http/client.h>

#include "app/join.h"
#include "app/join/join_answer.h"
#include "app/join/joined_files.h"
#include "app/join/plan_node_name.h"
#include "unit/app/join_cluster.h"

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

#include <sys/stat.h>
#include <unistd.h>

using namespace skiff;
using namespace skiff::app;
using namespace skiff::app_test;

namespace {

// A board: a data folder and a configuration.
struct Board {
  explicit Board(std::string name) {
    config.data_dir = std::filesystem::temp_directory_path() /
                      ("skiff-join-test-" + std::to_string(getpid()) + name);
    std::filesystem::remove_all(config.data_dir);
    config.node_name = std::move(name);
  }
  ~Board() { std::filesystem::remove_all(config.data_dir); }
  std::string file(const std::string& name) const {
    std::ifstream in(config.data_dir + "/" + name);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  base::Result<JoinedNode> join(const base::CancelToken& cancel = {}) {
    auto loop = loop::make_loop("board");
    REQUIRE(loop);
    std::optional<base::Result<JoinedNode>> result;
    base::spawn_detached(**loop, run(this, loop->get(), cancel, &result));
    (*loop)->run();
    REQUIRE(result);
    return std::move(*result);
  }
  static base::Task<void> run(Board* board, loop::Loop* loop, base::CancelToken cancel,
                              std::optional<base::Result<JoinedNode>>* result) {
    auto joining = ensure_joined(board->config, *loop, base::secure_random(), cancel);
    result->emplace(co_await std::move(joining));
    loop->stop();
  }
  Config config;
};

// Ends the TLS of boards with a certificate of its own, and passes everything on to the true
// master.
class Relay final : public http::Handler {
 public:
  explicit Relay(std::uint16_t master) : master_(master) {
    thread_.start(*this, ca_.server_identity());
  }
  ~Relay() override { thread_.stop(); }
  std::uint16_t port() const { return thread_.port(); }
  std::vector<std::string> requests() {
    std::lock_guard lock(mutex_);
    return requests_;
  }
  base::Task<http::Response> handle(http::Request request) override {
    {
      std::lock_guard lock(mutex_);
      requests_.push_back(request.method + " " + request.target + " " + request.body);
    }
    http::BlockingRequest on;
    on.method = request.method;
    on.url = "https://127.0.0.1:" + std::to_string(master_) + request.target;
    on.body = request.body;
    on.headers.set("Content-Type", "application/json");
    on.insecure = true;
    auto answer = http::send_blocking(std::move(on));
    http::Response response;
    response.status = answer ? answer->status : 502;
    if (answer) response.body.emplace_back(answer->body);
    co_return response;
  }
  std::optional<http::Response> handle_inline(const http::Request&) override {
    return std::nullopt;
  }

 private:
  const std::uint16_t master_;
  TestAuthority ca_;
  std::mutex mutex_;
  std::vector<std::string> requests_;
  ServerThread thread_;
};

bool has(std::string_view text, std::string_view part) { return text.find(part) != text.npos; }

}  // namespace

TEST_CASE("a token that names no authority is proved from both sides") {
  Cluster cluster;
  Board board("n1");
  board.config.servers = {{"127.0.0.1", cluster.port()}};
  board.config.token = cluster.make_short_token();
  const std::string secret = board.config.token.substr(board.config.token.find(':') + 1);
  SECTION("and the board is in") {
    auto joined = board.join();
    INFO(joined.status().to_string());
    REQUIRE(joined);
    CHECK(board.file("pki/node-ca.crt") == cluster.ca_pem());
  }
  SECTION("a wrong secret is refused before anything is believed") {
    board.config.token.back() = board.config.token.back() == '0' ? '1' : '0';
    auto refused = board.join();
    CHECK(refused.code() == base::Code::unauthenticated);
    CHECK(has(refused.status().message(), "is not proved over this connection"));
  }
  SECTION("the last part of a whole token is none") {
    const auto whole = cluster.make_token();
    board.config.token = whole.substr(whole.find("::") + 2);
    auto refused = board.join();
    CHECK(refused.code() == base::Code::unauthenticated);
    CHECK(has(refused.status().message(), "lacks its first part"));
  }
  SECTION("who stands between the two has two connections, and the proof of neither") {
    Relay relay(cluster.port());
    board.config.servers = {{"127.0.0.1", relay.port()}};
    auto refused = board.join();
    CHECK(refused.code() == base::Code::unauthenticated);
    CHECK(has(refused.status().message(), "somebody stands between this board and its master"));
    const auto heard = relay.requests();
    REQUIRE(heard.size() == 1);
    CHECK(has(heard[0], "POST /skiff/v1/ca"));
    for (const auto& request : heard) CHECK_FALSE(has(request, secret));
  }
  SECTION("nor does a stranger who offers the cluster's CA, or his own, get the secret") {
    Stranger stranger(Stranger::Offers::true_authority, cluster.ca_pem());
    Stranger other(Stranger::Offers::own_authority, cluster.ca_pem());
    for (auto port : {stranger.port(), other.port()}) {
      board.config.servers = {{"127.0.0.1", port}};
      auto refused = board.join();
      CHECK(refused.code() == base::Code::unauthenticated);
      CHECK(has(refused.status().message(), "does not know the secret of the token"));
    }
    CHECK(stranger.paths() == std::vector<std::string>{"/skiff/v1/ca"});
  }
  CHECK(std::filesystem::exists(board.config.data_dir + "/node/cluster.json") ==
        (board.file("pki/node-ca.crt") == cluster.ca_pem()));
}

TEST_CASE("a board joins once, and is the node from then on") {
  Cluster cluster;
  Board board("n1");
  board.config.servers = {{"127.0.0.1", cluster.port()}};
  board.config.token = cluster.make_token();
  auto joined = board.join();
  INFO(joined.status().to_string());
  REQUIRE(joined);
  CHECK(joined->name == "n1");
  CHECK(joined->cluster.cluster_dns == "10.43.0.10");
  CHECK(*pki::certificate_matches_key(joined->certificate_pem, joined->key_pem));
  CHECK(board.file("pki/node.key") == joined->key_pem);
  CHECK(board.file("pki/node-ca.crt") == cluster.ca_pem());
  struct stat info {};
  REQUIRE(stat((board.config.data_dir + "/pki/node.key").c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == 0600);

  // From disk, without a master and without a token; the name is kept.
  cluster.stop();
  board.config.token.clear();
  board.config.node_name.clear();
  auto again = board.join();
  REQUIRE(again);
  CHECK(again->name == "n1");
  CHECK(again->certificate_pem == joined->certificate_pem);
}

TEST_CASE("a board whose certificates are lost comes back by its key") {
  Cluster cluster;
  Board board("n1");
  board.config.servers = {{"127.0.0.1", cluster.port()}};
  board.config.token = cluster.make_token();
  REQUIRE(board.join());
  const auto key = board.file("pki/node.key");
  std::filesystem::remove(board.config.data_dir + "/pki/node.crt");
  board.config.token.clear();
  auto back = board.join();
  INFO(back.status().to_string());
  REQUIRE(back);
  CHECK(board.file("pki/node.key") == key);
  CHECK(board.file("pki/node.crt") == back->certificate_pem);
}

TEST_CASE("another authority ends neither printed tokens nor boards that were off all the time") {
  Cluster cluster;
  Board board("n1"), away("n2");
  for (auto* one : {&board, &away}) one->config.servers = {{"127.0.0.1", cluster.port()}};
  board.config.token = away.config.token = cluster.make_token();
  REQUIRE(away.join());
  std::filesystem::remove(away.config.data_dir + "/pki/node.crt");
  away.config.token.clear();
  cluster.roll();
  SECTION("while both are trusted") { CHECK(board.join()); }
  SECTION("when the one before is trusted no more") {
    cluster.retire_old_authority();
    auto joined = board.join();
    INFO(joined.status().to_string());
    REQUIRE(joined);
    // Of the new one alone, which is all that it trusts from now on.
    CHECK(joined->ca_pem.find(cluster.ca_pem()) == std::string::npos);
    auto back = away.join();
    INFO(back.status().to_string());
    REQUIRE(back);
    CHECK(back->ca_pem == joined->ca_pem);
  }
  SECTION("but for one that was forgotten, as its key may be stolen") {
    cluster.forget_old_authority();
    CHECK(board.join().code() == base::Code::unauthenticated);
    CHECK(away.join().code() == base::Code::unauthenticated);
  }
}

TEST_CASE("a stranger with another CA gets nothing") {
  Cluster cluster;
  Stranger stranger(Stranger::Offers::own_authority, cluster.ca_pem());
  Board board("n1");
  board.config.servers = {{"127.0.0.1", stranger.port()}};
  board.config.token = cluster.make_token();
  auto refused = board.join();
  CHECK(refused.code() == base::Code::unauthenticated);
  CHECK(refused.status().message().find("is not the one in the token") != std::string_view::npos);
  CHECK(stranger.paths() == std::vector<std::string>{"/skiff/v1/ca"});
  CHECK(stranger.bytes_of_bodies() == 0);
  CHECK_FALSE(std::filesystem::exists(board.config.data_dir + "/node/cluster.json"));
}

TEST_CASE("a stranger who shows the cluster's CA cannot answer for it") {
  Cluster cluster;
  Stranger stranger(Stranger::Offers::true_authority, cluster.ca_pem());
  Board board("n1");
  board.config.servers = {{"127.0.0.1", stranger.port()}};
  board.config.token = cluster.make_token();
  base::CancelSource enough;
  stranger.on_second_request([enough] { enough.cancel(); });
  CHECK(board.join(enough.token()).code() == base::Code::cancelled);
  for (const auto& path : stranger.paths()) CHECK(path == "/skiff/v1/ca");
  CHECK(stranger.bytes_of_bodies() == 0);
}

TEST_CASE("the next master is asked when one is a stranger or away") {
  Cluster cluster;
  Stranger stranger(Stranger::Offers::own_authority, cluster.ca_pem());
  Board board("n1");
  board.config.servers = {
      {"127.0.0.1", 1}, {"127.0.0.1", stranger.port()}, {"127.0.0.1", cluster.port()}};
  board.config.token = cluster.make_token();
  CHECK(board.join());
}

TEST_CASE("what the master refuses is final") {
  Cluster cluster;
  Board board("n1"), same_name("n1x");
  board.config.servers = same_name.config.servers = {{"127.0.0.1", cluster.port()}};
  board.config.token = cluster.make_token();
  REQUIRE(board.join());
  same_name.config.node_name = "n1";
  same_name.config.token = cluster.make_token();
  auto taken = same_name.join();
  CHECK(taken.code() == base::Code::already_exists);
  CHECK(taken.status().message().find("--replace") != std::string_view::npos);
  same_name.config.token.back() = same_name.config.token.back() == '0' ? '1' : '0';
  CHECK(same_name.join().code() == base::Code::permission_denied);
  same_name.config.token = cluster.make_token("n1");
  same_name.config.replace = true;
  CHECK(same_name.join());
}

TEST_CASE("without a token, or with half of one, nobody is asked") {
  Board board("n1");
  board.config.servers = {{"127.0.0.1", 1}};
  CHECK(board.join().code() == base::Code::invalid_argument);
  board.config.token = "K10abc::abcdef1234:0123456789abcdef";
  CHECK(board.join().code() == base::Code::invalid_argument);
}

TEST_CASE("a key that was copied to another board is not used there") {
  Board board("n1");
  REQUIRE(sys::make_folders(board.config.data_dir + "/node"));
  REQUIRE(make_node_key(board.config.data_dir));
  std::ofstream(board.config.data_dir + "/node/cluster.json")
      << R"({"nodeName":"n1","board":"of another board"})";
  board.config.servers = {{"127.0.0.1", 1}};
  // Only where the hardware has a serial can it be told.
  const bool can_tell = board_has_serial();
  const auto key = board.file("pki/node.key");
  (void)board.join();
  CHECK((board.file("pki/node.key") != key) == can_tell);
}

TEST_CASE("names of nodes") {
  const std::string serial = "10000000abcdef01", other = "10000000abcdef02";
  CHECK(*plan_node_name({"Pump-House.example", serial, "m"}) == "pump-house.example");
  CHECK(*plan_node_name({"my_board", "", ""}) == "my-board");
  // The names that images come with are on every board.
  auto one = *plan_node_name({"raspberrypi", serial, "m"});
  auto two = *plan_node_name({"raspberrypi", other, "m"});
  CHECK(one.starts_with("raspberrypi-"));
  CHECK(one != two);
  CHECK(one == *plan_node_name({"raspberrypi", serial, "another installation"}));
  CHECK(*plan_node_name({"debian", "", "m1"}) != *plan_node_name({"debian", "", "m2"}));
  CHECK(*plan_node_name({"localhost.localdomain", serial, ""}) ==
        "node-" + one.substr(one.find('-') + 1));
  CHECK(plan_node_name({"", serial, ""})->starts_with("node-"));
  CHECK(plan_node_name({"localhost", "", ""}).code() == base::Code::invalid_argument);
  CHECK(plan_node_name({std::string(200, 'a'), "", ""})->size() == 63);
  CHECK(board_fingerprint({"h", "", "m"}).empty());
  CHECK(board_fingerprint({"h", serial, "m"}) != board_fingerprint({"h", other, "m"}));
}

TEST_CASE("a clock that is not set takes the master's time for certificates only") {
  const auto made = base::WallTime::from_unix_seconds(1'800'000'000);
  auto pair = pki::make_authority("ca", made, std::chrono::hours(24));
  REQUIRE(pair);
  const auto in_1970 = base::WallTime::from_unix_seconds(100);
  const auto later = made + base::Duration(std::chrono::hours(2));
  CHECK(judging_time(pair->certificate_pem, in_1970, later) == later);
  CHECK(judging_time(pair->certificate_pem, in_1970, {}) > in_1970);
  CHECK(judging_time(pair->certificate_pem, in_1970, base::WallTime()) > in_1970);
  CHECK(judging_time(pair->certificate_pem, later, in_1970) == later);
}

TEST_CASE("files of a node and prepared tokens that are no objects") {
  char name[] = "/tmp/skiff-join-XXXXXX";
  REQUIRE(mkdtemp(name) != nullptr);
  const std::string folder = name;
  REQUIRE(sys::make_folders(folder + "/node", 0700).is_ok());
  for (const char* text : {"[]", "7", "{", "{}"}) {
    REQUIRE(sys::write_file_atomic(folder + "/node/cluster.json", text, 0644).is_ok());
    auto files = read_joined_files(folder);
    REQUIRE(files);
    CHECK(files->node_name.empty());
    CHECK_FALSE(files->joined);
  }
  REQUIRE(sys::remove_tree(folder).is_ok());
}

TEST_CASE("the answer of a master of another release") {
  const auto made = base::WallTime::from_unix_seconds(1'800'000'000);
  auto key = pki::make_private_key();
  auto pair = pki::make_authority("skiff-ca", made, std::chrono::hours(24));
  REQUIRE((key && pair));
  auto authority = pki::open_authority(*pair);
  auto request = make_node_request("n1", *key);
  REQUIRE((authority && request));
  pki::CertificateRequest wanted;
  wanted.identity.subject = {"system:node:n1", {"system:nodes"}};
  wanted.now = made;
  wanted.life = std::chrono::hours(1);
  auto certificate = (*authority)->sign(*request, wanted);
  REQUIRE(certificate);
  auto text = [](const std::string& pem) {
    return codec::write_json(codec::Json(std::string_view(pem)));
  };
  auto joined = parse_join_answer(
      base::concat(R"({"nodeName":"n1","certificate":)", text(*certificate),
                   R"(,"servingCertificate":)", text(*certificate), R"(,"certificateAuthorities":)",
                   text(pair->certificate_pem),
                   R"(,"clusterCIDR":"10.42.0.0/16","serviceCIDR":"10.43.0.0/16",)",
                   R"("clusterDNS":"10.43.0.10","clusterDomain":"cluster.local",)",
                   R"("time":"2027-01-15T08:00:00Z","later":{"a":[1,{}]}})"),
      "n1", *key);
  REQUIRE(joined);
  CHECK(joined->cluster.service_cidr == "10.43.0.0/16");
  CHECK(joined->ca_pem == pair->certificate_pem);
}

TEST_CASE("answers of masters that are none") {
  auto key = pki::make_private_key();
  REQUIRE(key);
  for (auto text : {"", "{", "[]", "{}", R"({"nodeName":"n1"})",
                    R"({"nodeName":"n1","certificate":7,"certificateAuthorities":{}})"}) {
    CHECK_FALSE(parse_join_answer(text, "n1", *key));
    CHECK_FALSE(parse_offered_authorities(text));
  }
  CHECK(refusal_of(502, "<html>").code() == base::Code::unavailable);
  CHECK(refusal_of(403, "{}").code() == base::Code::permission_denied);
}
