#include "net/dns_message.h"
#include "net/resolvers.h"

#include <skiff/base/async.h>
#include <skiff/base/random.h>

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <thread>

using namespace skiff;
using namespace skiff::net;

namespace {

class FakeSource final : public DnsSource {
 public:
  DnsAnswer look_up(std::string_view name, DnsType type) override {
    DnsAnswer answer;
    if (name.substr(name.size() - std::min<std::size_t>(name.size(), 13)) != "cluster.local")
      return answer;
    answer.outcome = DnsAnswer::Outcome::no_such_name;
    if (name == "web.default.svc.cluster.local") {
      answer.outcome = DnsAnswer::Outcome::found;
      if (type == DnsType::a)
        answer.records.push_back({std::string(name), DnsType::a, 5, "10.43.0.7"});
    }
    if (name == "many.cluster.local") {
      answer.outcome = DnsAnswer::Outcome::found;
      for (int i = 0; i < 100; ++i)
        answer.records.push_back(
            {std::string(name), DnsType::a, 5, "10.42.0." + std::to_string(i)});
    }
    if (name == "_http._tcp.web.default.svc.cluster.local") {
      answer.outcome = DnsAnswer::Outcome::found;
      answer.records.push_back(
          {std::string(name), DnsType::srv, 5, "web.default.svc.cluster.local", 0, 100, 80});
      answer.additional.push_back({"web.default.svc.cluster.local", DnsType::a, 5, "10.43.0.7"});
    }
    return answer;
  }
};

std::string local(std::string_view name, DnsType type, std::size_t limit = 512) {
  FakeSource source;
  auto query = parse_dns_query(write_dns_query(0x1234, name, type));
  REQUIRE(query);
  DnsAnswer answer = source.look_up(query->name, query->type);
  auto code =
      answer.outcome == DnsAnswer::Outcome::found ? DnsCode::no_error : DnsCode::no_such_name;
  return write_dns_answer(*query, code, answer, "cluster.local", limit);
}

int code_of(const std::string& answer) { return answer[3] & 15; }
bool is_truncated(const std::string& answer) { return (answer[2] & 2) != 0; }

}  // namespace

TEST_CASE("an answer carries the question and its records") {
  std::string answer = local("WEB.default.svc.cluster.local", DnsType::a);
  CHECK(is_answer_to(answer, write_dns_query(0x1234, "web.default.svc.cluster.local", DnsType::a)));
  CHECK_FALSE(
      is_answer_to(answer, write_dns_query(0x1235, "web.default.svc.cluster.local", DnsType::a)));
  CHECK_FALSE(is_answer_to(answer, write_dns_query(0x1234, "other.svc.cluster.local", DnsType::a)));
  auto records = read_dns_addresses(answer);
  REQUIRE(records.size() == 1);
  CHECK(records[0].data == "10.43.0.7");
  CHECK(code_of(answer) == 0);
}

TEST_CASE("no such name, and no such record, come with the zone's SOA") {
  std::string missing = local("nope.default.svc.cluster.local", DnsType::a);
  CHECK(code_of(missing) == 3);
  CHECK(missing[9] == 1);
  std::string no_data = local("web.default.svc.cluster.local", DnsType::aaaa);
  CHECK(code_of(no_data) == 0);
  CHECK(no_data[7] == 0);
  CHECK(no_data[9] == 1);
}

TEST_CASE("an answer that is too long says so") {
  CHECK(is_truncated(local("many.cluster.local", DnsType::a)));
  CHECK_FALSE(is_truncated(local("many.cluster.local", DnsType::a, 65535)));
  CHECK(read_dns_addresses(local("many.cluster.local", DnsType::a, 65535)).size() == 64);
}

TEST_CASE("malformed queries are refused, answers are not answered") {
  std::string query = write_dns_query(1, "a.b", DnsType::a);
  for (std::size_t size = 0; size < query.size(); ++size)
    CHECK_FALSE(parse_dns_query(std::string_view(query).substr(0, size)).is_ok());
  std::string loop = query.substr(0, 12) + "\xc0\x0c" + std::string("\0\1\0\1", 4);
  CHECK_FALSE(parse_dns_query(loop).is_ok());
  std::string long_label = query;
  long_label[12] = 0x40;
  CHECK_FALSE(parse_dns_query(long_label).is_ok());
  std::string answer = query;
  answer[2] = static_cast<char>(answer[2] | 0x80);
  CHECK(write_dns_format_error(answer).empty());
  CHECK(write_dns_format_error("short").empty());
  CHECK(code_of(write_dns_format_error(query.substr(0, 14))) == 1);
}

TEST_CASE("random bytes never do harm") {
  auto random = base::seeded_random(7);
  for (int round = 0; round < 20'000; ++round) {
    std::string bytes;
    for (std::size_t n = random->below(80); n > 0; --n) bytes += static_cast<char>(random->next());
    if (bytes.size() > 8) bytes[2] = 0, bytes[3] = 0, bytes[4] = 0, bytes[5] = 1;
    parse_dns_query(bytes).is_ok();
    read_dns_addresses(bytes);
    is_answer_to(bytes, bytes);
  }
}

TEST_CASE("resolv.conf names at most three IPv4 resolvers") {
  auto servers = parse_resolv_conf(
      "# nameserver 9.9.9.9\nnameserver 192.0.2.1\nsearch x\nnameserver "
      "fe80::1\nnameserver\t192.0.2.2 \n"
      "nameserver 192.0.2.3\nnameserver 192.0.2.4\n");
  CHECK(servers == std::vector<std::string>{"192.0.2.1", "192.0.2.2", "192.0.2.3"});
}

TEST_CASE("the server answers over UDP and TCP, and fails clearly without a resolver") {
  auto loop = loop::make_loop("dns");
  REQUIRE(loop);
  FakeSource source;
  DnsOptions options;
  options.addresses = {"127.0.0.1"};
  options.port = 0;
  options.resolv_conf = "/nonexistent";
  auto random = base::seeded_random(1);
  auto server = make_dns_server(**loop, *random, source, options);
  REQUIRE(server);
  std::uint16_t port = (*server)->port();
  std::string over_udp, unresolved, over_tcp;
  std::thread client([&] {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    inet_pton(AF_INET, "127.0.0.1", &to.sin_addr);
    auto ask_udp = [&](const std::string& query) {
      int fd = socket(AF_INET, SOCK_DGRAM, 0);
      sendto(fd, query.data(), query.size(), 0, reinterpret_cast<sockaddr*>(&to), sizeof to);
      char buffer[2048];
      ssize_t n = recv(fd, buffer, sizeof buffer, 0);
      close(fd);
      return std::string(buffer, n > 0 ? static_cast<std::size_t>(n) : 0);
    };
    over_udp = ask_udp(write_dns_query(1, "web.default.svc.cluster.local", DnsType::a));
    unresolved = ask_udp(write_dns_query(2, "example.invalid", DnsType::a));
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(fd, reinterpret_cast<sockaddr*>(&to), sizeof to) == 0) {
      std::string query = write_dns_query(3, "many.cluster.local", DnsType::a);
      std::string framed{static_cast<char>(0), static_cast<char>(query.size())};
      framed += query;
      send(fd, framed.data(), framed.size(), 0);
      char buffer[8192];
      while (over_tcp.size() < 1600) {
        ssize_t n = recv(fd, buffer, sizeof buffer, 0);
        if (n <= 0) break;
        over_tcp.append(buffer, static_cast<std::size_t>(n));
      }
    }
    close(fd);
    (*loop)->post([&] {
      auto finish = [](DnsServer* s, loop::Loop* l) -> base::Task<void> {
        co_await s->stop();
        l->stop();
      };
      base::spawn_detached(**loop, finish(server->get(), loop->get()));
    });
  });
  (*loop)->run();
  client.join();
  CHECK(read_dns_addresses(over_udp).size() == 1);
  CHECK(code_of(unresolved) == 2);
  REQUIRE(over_tcp.size() > 1600);
  CHECK(read_dns_addresses(over_tcp.substr(2)).size() == 64);
  CHECK((*server)->counters().queries == 3);
}
