#include <skiff/base/strings.h>
#include <skiff/http/client.h>
#include <skiff/runtime/image.h>
#include <skiff/sys/features.h>
#include <skiff/sys/files.h>
#include <skiff/sys/namespaces.h>
#include <skiff/sys/process.h>

#include <poll.h>
#include <signal.h>
#include <unistd.h>
#include <catch2/catch.hpp>

#include <atomic>
#include <map>
#include <thread>

#include "image_fixtures.h"
#include "runtime/image/pull.h"
#include "runtime/image/registries.h"
#include "runtime/image/registry_client.h"
#include "runtime/image/store.h"
#include "runtime/limits.h"

using namespace skiff;
using namespace skiff::runtime;
using namespace skiff::runtime_test;
using base::concat;

namespace {

// A registry on paper: answers by URL, and what was asked.
struct FakeRegistry {
  struct Answer {
    int status = 200;
    std::string body;
    std::vector<std::pair<std::string, std::string>> headers;
  };
  std::map<std::string, Answer> answers;
  std::string needed_authorization = "of nobody";  // else 401 with `challenge`
  std::string challenge;
  std::string guarded_prefix;
  std::vector<std::string> asked;
  std::vector<std::string> authorizations;
  std::size_t cut_blobs_at = 0;  // bytes of a blob until the connection breaks
  std::atomic<int> requests{0};

  SendFunction send() {
    return [this](http::BlockingRequest request) -> base::Result<http::ClientResponse> {
      ++requests;
      asked.push_back(request.url);
      authorizations.emplace_back(request.headers.get("Authorization"));
      http::ClientResponse out;
      if (!challenge.empty() && base::starts_with(request.url, guarded_prefix) &&
          request.headers.get("Authorization") != needed_authorization) {
        out.status = 401;
        out.headers.set("WWW-Authenticate", challenge);
        out.body = R"({"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]})";
        return out;
      }
      auto found = answers.find(request.url);
      if (found == answers.end()) {
        out.status = 404;
        out.body = R"({"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]})";
        return out;
      }
      out.status = found->second.status;
      for (const auto& [name, value] : found->second.headers) out.headers.set(name, value);
      return give(std::move(request), found->second.body, std::move(out));
    };
  }

  base::Result<http::ClientResponse> give(http::BlockingRequest request, std::string body,
                                          http::ClientResponse out) {
    auto range = request.headers.get("Range");
    if (request.sink && base::starts_with(range, "bytes=") && out.status == 200) {
      auto from = *base::parse_int(range.substr(6, range.size() - 7));
      out.status = 206;
      out.headers.set("Content-Range",
                      concat("bytes ", from, "-", body.size() - 1, "/", body.size()));
      body.erase(0, static_cast<std::size_t>(from));
    }
    if (request.on_head && !request.on_head(out.status, out.headers))
      return base::cancelled("stopped");
    bool is_cut = false;
    if (request.sink && cut_blobs_at != 0 && body.size() > cut_blobs_at) {
      body.resize(cut_blobs_at);
      is_cut = true;
    }
    if (request.sink && out.status < 300) {
      if (!body.empty() && !request.sink(body)) return base::cancelled("stopped");
      if (is_cut) return base::unavailable("connection reset by peer");
    } else {
      out.body = std::move(body);
    }
    return out;
  }

  void add_image(const std::string& base_url, const std::string& reference,
                 const ImageParts& image) {
    answers[concat(base_url, "/manifests/", reference)] = {200, image.manifest, {}};
    answers[concat(base_url, "/blobs/", digest_of(image.config))] = {200, image.config, {}};
    for (const auto& layer : image.layers)
      answers[concat(base_url, "/blobs/", digest_of(layer))] = {200, layer, {}};
  }
};

ImageParts sample_image() {
  return make_image({make_tar({{"hello", '0', std::string(50'000, 'x')}})}, R"("Cmd":["/hello"])");
}

struct PullFixture {
  explicit PullFixture(Registries registries = {})
      : store(folder / "data"), puller(store, std::move(registries), registry.send()) {
    REQUIRE(store.open().is_ok());
  }
  base::Result<Image> pull(const std::string& name, const std::vector<RegistryAuth>& auth = {}) {
    return puller.pull(*parse_image_reference(name), auth, {});
  }
  TemporaryFolder folder;
  FakeRegistry registry;
  ImageStore store;
  Puller puller;
};

constexpr const char* kBase = "https://example.com/v2/team/app";

}  // namespace

TEST_CASE("an image is pulled, its digests are kept, a second pull fetches no layer") {
  PullFixture fixture;
  auto image = sample_image();
  fixture.registry.add_image(kBase, "1", image);
  auto pulled = fixture.pull("example.com/team/app:1");
  INFO(pulled.status().to_string());
  REQUIRE(pulled.is_ok());
  CHECK(pulled->id == digest_of(image.config));
  CHECK(pulled->names == std::vector<std::string>{"example.com/team/app:1"});
  CHECK(pulled->digests ==
        std::vector<std::string>{"example.com/team/app@" + digest_of(image.manifest)});
  CHECK_FALSE(pulled->pinned);
  CHECK(sys::list_folder(fixture.folder / "data/content/blobs")->empty());
  int before = fixture.registry.requests;
  REQUIRE(fixture.pull("example.com/team/app:1").is_ok());
  CHECK(fixture.registry.requests == before + 2);
  fixture.registry.add_image(kBase, digest_of(image.manifest), image);
  auto by_digest = fixture.pull("example.com/team/app@" + digest_of(image.manifest));
  REQUIRE(by_digest.is_ok());
  CHECK(by_digest->id == pulled->id);
}

TEST_CASE("a refused image names the registry and what it said") {
  PullFixture fixture;
  auto missing = fixture.pull("example.com/team/app:2");
  CHECK(missing.code() == base::Code::not_found);
  CHECK(missing.status().message() ==
        "example.com/team/app:2: example.com answered 404: manifest unknown");
  fixture.registry.challenge = "Basic realm=\"x\"";
  fixture.registry.guarded_prefix = "https://example.com";
  auto refused = fixture.pull("example.com/team/app:2", {{"me", "wrong", ""}});
  CHECK(refused.code() == base::Code::unauthenticated);
  CHECK(refused.status().message() ==
        "example.com/team/app:2: example.com answered 401: authentication required");
}

TEST_CASE("credentials are tried in order, basic and bearer") {
  PullFixture fixture;
  auto image = sample_image();
  fixture.registry.add_image(kBase, "1", image);
  fixture.registry.guarded_prefix = "https://example.com";
  fixture.registry.challenge = "Basic realm=\"Registry\"";
  fixture.registry.needed_authorization = "Basic bWU6c2VjcmV0";  // me:secret
  CHECK(
      fixture.pull("example.com/team/app:1", {{"me", "wrong", ""}, {"me", "secret", ""}}).is_ok());

  PullFixture bearer;
  bearer.registry.add_image(kBase, "1", image);
  bearer.registry.guarded_prefix = "https://example.com";
  bearer.registry.challenge =
      "Bearer "
      "realm=\"https://auth.example.com/token\",service=\"reg\",scope=\"repository:team/app:pull\"";
  bearer.registry.needed_authorization = "Bearer opensesame";
  bearer.registry
      .answers["https://auth.example.com/token?service=reg&scope=repository%3Ateam%2Fapp%3Apull"] =
      {200, R"({"token":"opensesame"})", {}};
  auto pulled = bearer.pull("example.com/team/app:1", {{"me", "secret", ""}});
  INFO(pulled.status().to_string() << base::join(bearer.registry.asked, "\n"));
  CHECK(pulled.is_ok());
  CHECK(bearer.registry.authorizations[1] == "Basic bWU6c2VjcmV0");
}

TEST_CASE("a password does not go to a realm without TLS, a token not to another host") {
  PullFixture fixture;
  auto image = sample_image();
  fixture.registry.add_image(kBase, "1", image);
  fixture.registry.guarded_prefix = "https://example.com";
  fixture.registry.challenge = "Bearer realm=\"http://auth.example.com/token\"";
  CHECK(fixture.pull("example.com/team/app:1", {{"me", "secret", ""}}).code() ==
        base::Code::unauthenticated);
  for (const auto& url : fixture.registry.asked) CHECK(base::starts_with(url, "https://"));

  PullFixture other;
  other.registry.add_image(kBase, "1", image);
  auto& layer = other.registry.answers[concat(kBase, "/blobs/", digest_of(image.layers[0]))];
  layer = {307, "", {{"Location", "https://cdn.example.net/x?sig=a%2Bb"}}};
  other.registry.answers["https://cdn.example.net/x?sig=a%2Bb"] = {200, image.layers[0], {}};
  other.registry.guarded_prefix = "https://example.com";
  other.registry.challenge = "Basic realm=\"x\"";
  other.registry.needed_authorization = "Basic bWU6c2VjcmV0";
  REQUIRE(other.pull("example.com/team/app:1", {{"me", "secret", ""}}).is_ok());
  CHECK(other.registry.asked.back() == "https://cdn.example.net/x?sig=a%2Bb");
  CHECK(other.registry.authorizations.back().empty());
  layer.headers = {{"Location", "http://cdn.example.net/x"}};
  TemporaryFolder empty;
  ImageStore store(empty / "data");
  REQUIRE(store.open().is_ok());
  Puller puller(store, {}, other.registry.send());
  CHECK_FALSE(
      puller.pull(*parse_image_reference("example.com/team/app:1"), {{"me", "secret", ""}}, {})
          .is_ok());
}

TEST_CASE("a broken download goes on where it stopped, also after a restart") {
  PullFixture fixture;
  auto image = sample_image();
  fixture.registry.add_image(kBase, "1", image);
  fixture.registry.cut_blobs_at = 12'000;
  REQUIRE(image.layers[0].size() < 12'000u * kBlobTriesMax);
  CHECK(fixture.pull("example.com/team/app:1").is_ok());

  PullFixture slow;
  slow.registry.add_image(kBase, "1", image);
  slow.registry.cut_blobs_at = 3'000;
  CHECK(slow.pull("example.com/team/app:1").code() == base::Code::unavailable);
  auto parts = sys::list_folder(slow.folder / "data/content/blobs");
  REQUIRE(parts->size() == 1);
  CHECK(sys::read_file(slow.folder / ("data/content/blobs/" + parts->at(0)), 1u << 20)->size() ==
        3'000u * kBlobTriesMax);
  slow.registry.cut_blobs_at = 0;
  Puller again(slow.store, {}, slow.registry.send());
  CHECK(again.pull(*parse_image_reference("example.com/team/app:1"), {}, {}).is_ok());
  // A damaged part is found out and fetched again.
  TemporaryFolder other;
  ImageStore store(other / "data");
  REQUIRE(store.open().is_ok());
  write_file(store.blob_path(digest_of(image.layers[0])), std::string(500, '?'));
  Puller third(store, {}, slow.registry.send());
  CHECK(third.pull(*parse_image_reference("example.com/team/app:1"), {}, {}).is_ok());
}

TEST_CASE("what a registry lies about is refused") {
  auto image = sample_image();
  auto refused = [&](auto change) {
    PullFixture fixture;
    fixture.registry.add_image(kBase, "1", image);
    change(fixture.registry.answers);
    auto code = fixture.pull("example.com/team/app:1").code();
    CHECK(fixture.store.list().empty());
    return code;
  };
  std::string layer = concat(kBase, "/blobs/", digest_of(image.layers[0]));
  std::string config = concat(kBase, "/blobs/", digest_of(image.config));
  using Answers = std::map<std::string, FakeRegistry::Answer>;
  CHECK(refused([&](Answers& a) { a[layer].body[600] ^= 1; }) == base::Code::data_loss);
  CHECK(refused([&](Answers& a) { a[layer].body += "more"; }) == base::Code::too_large);
  CHECK(refused([&](Answers& a) { a[config].body += " "; }) == base::Code::data_loss);
  CHECK(refused([&](Answers& a) { a[concat(kBase, "/manifests/1")].body = "{}"; }) !=
        base::Code::ok);
  CHECK(refused([&](Answers& a) {
          a[layer] = {302, "", {{"Location", layer}}};
        }) == base::Code::unavailable);
  PullFixture by_digest;
  std::string digest = "sha256:" + std::string(64, 'a');
  by_digest.registry.answers[concat(kBase, "/manifests/", digest)] = {200, image.manifest, {}};
  CHECK(by_digest.pull("example.com/team/app@" + digest).code() == base::Code::data_loss);
}

TEST_CASE("an index gives the image of this machine") {
  PullFixture fixture;
  auto image = sample_image();
  fixture.registry.add_image(kBase, digest_of(image.manifest), image);
  auto entry = [&](const std::string& architecture, const std::string& digest) {
    return concat("{\"digest\":\"", digest, "\",\"size\":1,\"platform\":{\"os\":\"linux\",",
                  "\"architecture\":\"", architecture, "\"}}");
  };
  std::string other = "sha256:" + std::string(64, 'b');
  std::string index = concat("{\"schemaVersion\":2,\"manifests\":[", entry("vax", other), ",",
                             entry(sys::machine_architecture(), digest_of(image.manifest)), "]}");
  fixture.registry.answers[concat(kBase, "/manifests/1")] = {200, index, {}};
  auto pulled = fixture.pull("example.com/team/app:1");
  REQUIRE(pulled.is_ok());
  CHECK(pulled->digests == std::vector<std::string>{"example.com/team/app@" + digest_of(index)});
  index = concat("{\"schemaVersion\":2,\"manifests\":[", entry("vax", other), "]}");
  fixture.registry.answers[concat(kBase, "/manifests/2")] = {200, index, {}};
  auto none = fixture.pull("example.com/team/app:2");
  CHECK(none.code() == base::Code::not_found);
  CHECK(none.status().message().find("no match for platform in manifest") != std::string::npos);
}

TEST_CASE("pulls of one image at a time share the work; a stopped one does not stop the others") {
  PullFixture fixture;
  auto image = sample_image();
  fixture.registry.add_image(kBase, "1", image);
  std::vector<std::thread> threads;
  std::atomic<int> fine{0};
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&] { fine += fixture.pull("example.com/team/app:1").is_ok(); });
  for (auto& thread : threads) thread.join();
  CHECK(fine == 4);
  base::CancelSource stop;
  stop.cancel();
  CHECK(fixture.puller.pull(*parse_image_reference("example.com/team/app:1"), {}, stop.token())
            .code() == base::Code::cancelled);
}

TEST_CASE("registries.yaml: mirrors first, then the registry; bad keys are named") {
  auto registries = parse_registries(
      "mirrors:\n  docker.io:\n    endpoint:\n      - https://mirror.example.com/cache/\n"
      "  \"*\":\n    endpoint: [\"http://any.example.com:5000\"]\n"
      "configs:\n  mirror.example.com:\n    auth: {auth: bWU6c2VjcmV0}\n"
      "    tls: {insecure_skip_verify: true}\n");
  REQUIRE(registries.is_ok());
  auto endpoints = registries->endpoints("docker.io");
  REQUIRE(endpoints.size() == 2);
  CHECK(endpoints[0].url == "https://mirror.example.com/cache/v2");
  CHECK(endpoints[0].is_mirror);
  CHECK_FALSE(endpoints[1].is_mirror);
  CHECK(registries->endpoints("example.com")[0].url == "http://any.example.com:5000/v2");
  CHECK(registries->host("mirror.example.com").auth.password == "secret");
  CHECK(registries->host("mirror.example.com").insecure);
  Registries none;
  CHECK(none.endpoints("127.0.0.1:5000")[0].url == "http://127.0.0.1:5000/v2");
  CHECK(none.endpoints("localhost:5000")[0].url == "http://localhost:5000/v2");
  CHECK(none.endpoints("localhost.example.com")[0].url == "https://localhost.example.com/v2");
  CHECK(load_registries("").is_ok());
  CHECK(load_registries("/nonexistent/registries.yaml").is_ok());
  auto message = [](std::string_view text) {
    auto parsed = parse_registries(text);
    return parsed.is_ok() ? "ok" : std::string(parsed.status().message());
  };
  CHECK(message("mirors: {}") == "registries: unknown key \"mirors\"");
  CHECK(message("mirrors: {a: {endpoint: [ftp://x]}}").find("no http:// or https:// URL") !=
        std::string::npos);
  CHECK(message("configs: {a: {auth: {auth: '%%'}}}").find("configs.a.auth.auth") !=
        std::string::npos);
  CHECK(message("configs: {a: {tls: {ca_file: /nonexistent}}}").find("configs.a.tls.ca_file") !=
        std::string::npos);
}

TEST_CASE("challenges are read, odd ones too") {
  auto challenge = parse_challenge(R"(Bearer realm="https://a/b?c",service="s \"q\"" , scope=x)");
  REQUIRE(challenge.is_ok());
  CHECK(challenge->scheme == "bearer");
  CHECK(challenge->parameter("Realm") == "https://a/b?c");
  CHECK(challenge->parameter("service") == "s \"q\"");
  CHECK(challenge->parameter("scope") == "x");
  CHECK(parse_challenge("Basic realm=x, Bearer realm=y")->parameter("realm") == "x");
  CHECK_FALSE(parse_challenge("").is_ok());
  CHECK_FALSE(parse_challenge("Bearer realm=\"open").is_ok());
  CHECK(parse_challenge("Basic").is_ok());
  CHECK_FALSE(parse_challenge(std::string(100'000, 'a')).is_ok());
}

namespace {

// docker-registry on the loopback of a network namespace of its own.
class RealRegistry {
 public:
  RealRegistry() {
    name = concat("skiff-reg-", getpid());
    run({"ip", "netns", "add", name});
    run({"nsenter", "--net=/run/netns/" + name, "ip", "link", "set", "lo", "up"});
    write_file(folder / "htpasswd",
               "me:$2b$05$DsNcdDf6rxhLvVTOP2QFweVqURodwQB2mfYhfYcrrcPucS5SxkcQq\n");
    write_file(folder / "config.yml",
               concat("version: 0.1\nlog: {level: error}\nstorage: {filesystem: {rootdirectory: ",
                      folder / "store", "}}\nhttp: {addr: 127.0.0.1:5000}\n",
                      "auth: {htpasswd: {realm: test, path: ", folder / "htpasswd", "}}\n"));
    sys::SpawnOptions options;
    options.argv = {"nsenter", "--net=/run/netns/" + name, "docker-registry", "serve",
                    folder / "config.yml"};
    auto started = sys::spawn_process(options);
    REQUIRE(started.is_ok());
    pid = *started;
  }
  ~RealRegistry() {
    kill(pid, SIGKILL);
    CHECK(sys::wait_process(pid).is_ok());
    run({"ip", "netns", "del", name});
  }
  static void run(std::vector<std::string> argv) {
    sys::RunOptions options;
    options.argv = std::move(argv);
    auto result = sys::run_process(std::move(options));
    REQUIRE(result.is_ok());
    INFO(result->error_output);
    REQUIRE(result->exit_code == 0);
  }
  base::Status inside(base::UniqueFunction<base::Status()> work) const {
    return sys::run_in_network_namespace("/run/netns/" + name, std::move(work));
  }
  bool wait() const {
    for (int i = 0; i < 500; ++i) {
      auto status = inside([]() -> base::Status {
        http::BlockingRequest request;
        request.url = "http://127.0.0.1:5000/v2/";
        return http::send_blocking(std::move(request)).status();
      });
      if (status.is_ok()) return true;
      poll(nullptr, 0, 10);
    }
    return false;
  }
  TemporaryFolder folder;
  std::string name;
  int pid = 0;
};

}  // namespace

TEST_CASE("images pushed by skopeo to a real registry are pulled with a password") {
  if (geteuid() != 0 || sys::find_program("docker-registry").empty() ||
      sys::find_program("skopeo").empty())
    return;
  RealRegistry registry;
  REQUIRE(registry.wait());
  auto image = sample_image();
  write_file(registry.folder / "image.tar", make_docker_archive(image, "app:1"));
  for (std::string format : {"v2s2", "oci"})
    RealRegistry::run({"nsenter", "--net=/run/netns/" + registry.name, "skopeo", "copy",
                       "--insecure-policy", "--dest-tls-verify=false", "--dest-creds", "me:secret",
                       "--format", format, "docker-archive:" + (registry.folder / "image.tar"),
                       "docker://127.0.0.1:5000/team/app:" + format});
  auto service = make_image_service({registry.folder / "data", ""});
  REQUIRE(service.is_ok());
  auto status = registry.inside([&]() -> base::Status {
    for (std::string tag : {"v2s2", "oci"}) {
      std::string name = "127.0.0.1:5000/team/app:" + tag;
      auto refused = (*service)->pull(name, {}, {});
      CHECK(refused.code() == base::Code::unauthenticated);
      auto pulled = (*service)->pull(name, {{"me", "secret", ""}}, {});
      if (!pulled.is_ok()) return pulled.status();
      CHECK(pulled->config.command == std::vector<std::string>{"/hello"});
      CHECK((*service)->find(name).is_ok());
      CHECK((*service)->find(pulled->digests[0]).is_ok());
    }
    auto missing = (*service)->pull("127.0.0.1:5000/team/app:none", {{"me", "secret", ""}}, {});
    CHECK(missing.status().message() ==
          "127.0.0.1:5000/team/app:none: 127.0.0.1:5000 answered 404: manifest unknown");
    auto away = (*service)->pull("127.0.0.1:5001/team/app:1", {}, {});
    CHECK_FALSE(away.is_ok());
    CHECK(away.status().message().find("Connection refused") != std::string_view::npos);
    return {};
  });
  INFO(status.to_string());
  CHECK(status.is_ok());
}

TEST_CASE("what a registry says about an error may be anything") {
  CHECK(registry_message(R"({"errors":[{"message":"gone"}]})") == "gone");
  CHECK(registry_message(R"({"errors":[{"code":"DENIED"}]})") == "DENIED");
  CHECK(registry_message(R"({"details":"later"})") == "later");
  for (const char* none : {R"({"errors":{"message":"a"}})", R"({"errors":"ab"})",
                           R"({"errors":[1]})", R"({"errors":[]})", "[]", "x"})
    CHECK(registry_message(none).empty());
}
