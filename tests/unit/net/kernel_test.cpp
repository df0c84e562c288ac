// The pod network and the packet rules against the real kernel, in network namespaces of our own.
#include <skiff/net/packet_rules.h>
#include <skiff/net/pod_network.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <catch2/catch.hpp>
#include <cstdio>
#include <filesystem>
#include <set>
#include <thread>

using namespace skiff::net;

namespace {

std::string output_of(const std::string& command) {
  std::string text;
  FILE* pipe = popen(command.c_str(), "r");
  REQUIRE(pipe != nullptr);
  std::array<char, 4096> buffer;
  while (std::size_t n = std::fread(buffer.data(), 1, buffer.size(), pipe))
    text.append(buffer.data(), n);
  pclose(pipe);
  return text;
}

// This process in a namespace of its own, and pod namespaces beside it.
class Namespaces {
 public:
  Namespaces() {
    REQUIRE(unshare(CLONE_NEWNET) == 0);
    REQUIRE(std::system("ip link set lo up && ip address add 192.0.2.1/24 dev lo") == 0);
  }
  ~Namespaces() {
    for (const auto& name : names_) std::system(("ip netns delete " + name).c_str());
  }
  std::string add_pod(const std::string& name) {
    names_.push_back("skiff-net-test-" + std::to_string(getpid()) + "-" + name);
    REQUIRE(std::system(("ip netns add " + names_.back()).c_str()) == 0);
    return "/run/netns/" + names_.back();
  }

 private:
  std::vector<std::string> names_;
};

// Answers every TCP connection in a namespace with its name, until destroyed.
class Greeter {
 public:
  Greeter(const std::string& namespace_path, std::uint16_t port, std::string name) {
    std::thread([&] {
      int space = open(namespace_path.c_str(), O_RDONLY);
      setns(space, CLONE_NEWNET);
      close(space);
      listener_ = socket(AF_INET, SOCK_STREAM, 0);
      sockaddr_in any{};
      any.sin_family = AF_INET;
      any.sin_port = htons(port);
      bind(listener_, reinterpret_cast<sockaddr*>(&any), sizeof any);
      listen(listener_, 16);
    }).join();
    thread_ = std::thread([this, name] {
      for (;;) {
        int fd = accept(listener_, nullptr, nullptr);
        if (fd < 0) return;
        ssize_t ignored = write(fd, name.data(), name.size());
        (void)ignored;
        close(fd);
      }
    });
  }
  ~Greeter() {
    shutdown(listener_, SHUT_RDWR);
    thread_.join();
    close(listener_);
  }

 private:
  int listener_ = -1;
  std::thread thread_;
};

// What the server at the address says, "refused", or empty when nothing answers.
std::string greeting(const std::string& address, std::uint16_t port, const std::string& from = {}) {
  std::string text;
  std::thread([&] {
    if (!from.empty()) {
      int space = open(from.c_str(), O_RDONLY);
      setns(space, CLONE_NEWNET);
      close(space);
    }
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    timeval limit{2, 0};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    inet_pton(AF_INET, address.c_str(), &to.sin_addr);
    char buffer[64];
    if (connect(fd, reinterpret_cast<sockaddr*>(&to), sizeof to) == 0) {
      ssize_t n = read(fd, buffer, sizeof buffer);
      if (n > 0) text.assign(buffer, static_cast<std::size_t>(n));
    } else if (errno == ECONNREFUSED) {
      text = "refused";
    }
    close(fd);
  }).join();
  return text;
}

}  // namespace

// A pod that has 127.0.0.1 no longer as its own sends there.
void send_loopback_out(const std::string& pod) {
  for (const char* command :
       {"ip address delete 127.0.0.1/8 dev lo", "ip route add 127.0.0.1 via 169.254.1.1 dev eth0",
        "sh -c 'echo 1 > /proc/sys/net/ipv4/conf/eth0/route_localnet'"})
    REQUIRE(std::system(
                ("ip netns exec " + pod.substr(std::string("/run/netns/").size()) + " " + command)
                    .c_str()) == 0);
}

TEST_CASE("pods and Services on a real kernel", "[root]") {
  if (geteuid() != 0) {
    WARN("not root: skipped");
    return;
  }
  Namespaces namespaces;
  std::string folder = std::filesystem::temp_directory_path() / "skiff-pod-network-test";
  std::filesystem::remove_all(folder);
  const std::string table = "skiff-test";
  auto rules_made = make_nftables_rules(table);
  REQUIRE(rules_made);
  PacketRules& rules = **rules_made;
  auto made = make_pod_network({folder, "10.42.0.0/24", "sk", true});
  REQUIRE(made);
  PodNetwork& network = **made;
  REQUIRE(prepare_host({"10.43.0.0/16", "192.0.2.1", ""}));
  std::string a = namespaces.add_pod("a"), b = namespaces.add_pod("b");
  auto address_a = network.attach("uid-a", a), address_b = network.attach("uid-b", b);
  REQUIRE(address_a);
  REQUIRE(address_b);
  CHECK(network.attach("uid-a", a)->ipv4 == address_a->ipv4);
  CHECK(network.attached().size() == 2);

  Greeter greeter_a(a, 8080, "a"), greeter_b(b, 8080, "b");
  CHECK(greeting(address_a->ipv4, 8080) == "a");
  CHECK(greeting(address_b->ipv4, 8080, a) == "b");

  RuleSet set{"10.42.0.0/24", "10.42.0.0/16", "10.43.0.0/16", {}};
  RuleEndpoint end_a{address_a->ipv4, 8080}, end_b{address_b->ipv4, 8080};
  set.services.push_back({.name = "default/web:http",
                          .cluster_ip = "10.43.0.7",
                          .port = 80,
                          .node_port = 30080,
                          .endpoints = {end_a, end_b}});
  set.services.push_back(
      {.name = "default/self", .cluster_ip = "10.43.0.8", .port = 80, .endpoints = {end_a}});
  set.services.push_back(
      {.name = "default/empty", .cluster_ip = "10.43.0.9", .port = 80, .node_port = 30090});
  set.services.push_back({.name = "default/sticky",
                          .cluster_ip = "10.43.0.11",
                          .port = 80,
                          .endpoints = {end_a, end_b},
                          .affinity_seconds = 60});
  REQUIRE(rules.apply(set));

  SECTION("a Service spreads over its endpoints, from the host and from pods") {
    std::set<std::string> seen;
    for (int i = 0; i < 40; ++i) seen.insert(greeting("10.43.0.7", 80));
    CHECK(seen == std::set<std::string>{"a", "b"});
    seen.clear();
    for (int i = 0; i < 40; ++i) seen.insert(greeting("10.43.0.7", 80, b));
    CHECK(seen == std::set<std::string>{"a", "b"});
  }
  SECTION("node ports answer on the host's addresses") {
    CHECK(greeting("192.0.2.1", 30080).size() == 1);
    CHECK(greeting("192.0.2.1", 30080, a).size() == 1);
  }
  SECTION("node ports answer on 127.0.0.1, and what listens there is none of the pods' business") {
    CHECK(greeting("127.0.0.1", 30080).size() == 1);
    RuleSet more = set;
    more.services.push_back({.name = "hostport",
                             .port = 9001,
                             .external_ips = {"127.0.0.1"},
                             .endpoints = {end_b},
                             .local_only = true});
    REQUIRE(rules.apply(more));
    CHECK(greeting("127.0.0.1", 9001) == "b");
    CHECK(greeting("192.0.2.1", 9001) == "refused");
    Greeter host("/proc/self/task/" + std::to_string(gettid()) + "/ns/net", 9000, "host");
    CHECK(greeting("127.0.0.1", 9000) == "host");
    send_loopback_out(a);
    CHECK(greeting("192.0.2.1", 9000, a) == "host");
    CHECK(greeting("127.0.0.1", 9000, a) == "");
  }
  SECTION(
      "pods reach nothing on 127.0.0.1 before the first rules are applied, nor after a restart") {
    REQUIRE(rules.clear());
    Greeter host("/proc/self/task/" + std::to_string(gettid()) + "/ns/net", 9000, "host");
    send_loopback_out(a);
    CHECK(greeting("127.0.0.1", 9000, a) == "host");
    for (int start = 0; start < 2; ++start) REQUIRE(make_nftables_rules(table));
    CHECK(greeting("192.0.2.1", 9000, a) == "host");
    CHECK(greeting("127.0.0.1", 9000, a) == "");
    std::string guard = output_of("nft list chain ip " + table + " guard-loopback");
    CHECK(guard.find("drop") == guard.rfind("drop"));
  }
  SECTION("chains of others that drop what is forwarded are found") {
    CHECK(find_forward_drops()->empty());
    REQUIRE(
        std::system("nft 'add table ip other; "
                    "add chain ip other FORWARD { type filter hook forward priority 0; policy "
                    "drop; }; "
                    "add chain ip other INPUT { type filter hook input priority 0; policy drop; "
                    "}'") == 0);
    auto drops = find_forward_drops();
    REQUIRE(drops);
    CHECK(*drops == std::vector<std::string>{"ip other FORWARD"});
    REQUIRE(std::system("nft delete table ip other") == 0);
  }
  SECTION("a pod reaches itself through its Service") {
    CHECK(greeting("10.43.0.8", 80, a) == "a");
  }
  SECTION("without endpoints, and without a Service, connections are refused") {
    for (auto address : {"10.43.0.9", "10.43.99.99"}) {
      CHECK(greeting(address, 80) == "refused");
      CHECK(greeting(address, 80, a) == "refused");
    }
    CHECK(greeting("192.0.2.1", 30090) == "refused");
  }
  SECTION("affinity keeps a client at its endpoint, also when others change") {
    std::string first = greeting("10.43.0.11", 80);
    for (int i = 0; i < 20; ++i) CHECK(greeting("10.43.0.11", 80) == first);
    RuleSet more = set;
    more.services[3].endpoints.push_back({"10.42.0.99", 8080});
    REQUIRE(rules.apply(more));
    for (int i = 0; i < 20; ++i) CHECK(greeting("10.43.0.11", 80) == first);
    RuleSet other = set;
    other.services[3].endpoints = {first == "a" ? end_b : end_a};
    REQUIRE(rules.apply(other));
    CHECK(greeting("10.43.0.11", 80) == (first == "a" ? "b" : "a"));
  }
  SECTION("changes are applied as such, and the same rules change nothing") {
    std::string before = output_of("nft -a list table ip " + table);
    REQUIRE(rules.apply(set));
    CHECK(output_of("nft -a list table ip " + table) == before);
    RuleSet fewer = set;
    fewer.services[0].endpoints = {end_b};
    fewer.services[2].endpoints = {end_a};
    fewer.services.erase(fewer.services.begin() + 1);
    REQUIRE(rules.apply(fewer));
    for (int i = 0; i < 10; ++i) CHECK(greeting("10.43.0.7", 80) == "b");
    CHECK(greeting("10.43.0.8", 80) == "refused");
    CHECK(greeting("10.43.0.9", 80) == "a");
    CHECK(output_of("nft -j list table ip " + table).find("default/self") == std::string::npos);
  }
  SECTION("a table that somebody deleted is made anew") {
    REQUIRE(std::system(("nft delete table ip " + table).c_str()) == 0);
    RuleSet fewer = set;
    fewer.services.pop_back();
    REQUIRE(rules.apply(fewer));
    CHECK(greeting("10.43.0.7", 80).size() == 1);
  }

  CHECK(rules.clear().is_ok());
  CHECK(output_of("nft list tables").find(table) == std::string::npos);
  CHECK(network.detach("uid-a").is_ok());
  CHECK(network.detach("uid-a").is_ok());
  CHECK(network.detach("uid-b").is_ok());
  CHECK(output_of("ip -o link").find("sk") == std::string::npos);
  std::filesystem::remove_all(folder);
}
