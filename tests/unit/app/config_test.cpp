#include <skiff/app/config.h>

#include "app/addresses.h"

#include <catch2/catch.hpp>

#include <filesystem>
#include <fstream>

using namespace skiff::app;

namespace {

std::string refusal(Settings settings) {
  auto config = make_config({std::move(settings)});
  REQUIRE_FALSE(config.is_ok());
  return std::string(config.status().message());
}

}  // namespace

TEST_CASE("later layers win, and defaults fill the rest") {
  auto config =
      make_config({{{"https-port", {"7000"}}, {"node-name", {"a"}}}, {{"https-port", {"7001"}}}});
  REQUIRE(config);
  CHECK(config->https_port == 7001);
  CHECK(config->node_name == "a");
  CHECK(config->io_loops == 1);
  CHECK(config->cluster_cidr == "10.42.0.0/16");
}

TEST_CASE("a bad value is refused with its name") {
  CHECK(refusal({{"https-port", {"x"}}}) == "https-port: \"x\" is not a port (1-65535)");
  CHECK(refusal({{"io-loops", {"0"}}}) ==
        "io-loops: \"0\" is not a number of threads from 1 to 16");
  CHECK(refusal({{"data-dir", {"rel"}}}) == "data-dir: \"rel\" is not an absolute path");
  CHECK(refusal({{"cluster-dns", {"10.44.0.1"}}}) ==
        "cluster-dns 10.44.0.1 is not in service-cidr 10.43.0.0/16");
  CHECK(refusal({{"cluster-cidr", {"10.43.128.0/17"}}}).find("overlap") != std::string::npos);
  CHECK(refusal({{"role", {"worker"}}}).find("give --server") != std::string::npos);
  CHECK(refusal({{"server", {"https://m"}}}).find("leave it away on a master") !=
        std::string::npos);
  CHECK(refusal({{"role", {"boss"}}}).find("roles are master and worker") != std::string::npos);
  CHECK(refusal({{"service-node-port-range", {"2-1"}}}).find("ends before it begins") !=
        std::string::npos);
  CHECK(refusal({{"node-name", {"Web"}}}).find("lower-case DNS name") != std::string::npos);
}

TEST_CASE("a worker names its masters, labels and taints") {
  auto config = make_config({{{"role", {"worker"}},
                              {"server", {"https://m.example", "https://[fd00::1]:7000/"}},
                              {"token", {"K10abc::id:secret\n"}},
                              {"node-label", {"zone=a", "example.com/gpu"}},
                              {"node-taint", {"dedicated=cam:NoSchedule", "slow:PreferNoSchedule"}},
                              {"replace", {"true"}}}});
  REQUIRE(config);
  CHECK_FALSE(config->master);
  REQUIRE(config->servers.size() == 2);
  CHECK(config->servers[0].host == "m.example");
  CHECK(config->servers[0].port == 6443);
  CHECK(config->servers[1].host == "fd00::1");
  CHECK(config->servers[1].port == 7000);
  CHECK(config->token == "K10abc::id:secret");
  CHECK(config->replace);
  CHECK(config->node_labels[1] == std::pair<std::string, std::string>("example.com/gpu", ""));
  CHECK(config->node_taints[0].value == "cam");
  CHECK(config->node_taints[1].key == "slow");
  CHECK(config->node_taints[1].effect == "PreferNoSchedule");
}

TEST_CASE("wrong servers, labels and taints are refused with what to write") {
  auto worker = [](std::string name, std::string value) {
    Settings settings{{"role", {"worker"}}, {"server", {"https://m"}}};
    settings.insert_or_assign(name, std::vector<std::string>{value});
    return refusal(std::move(settings));
  };
  CHECK(worker("server", "http://m") ==
        "server: \"http://m\" is not an https address; write it as https://master:6443");
  CHECK(worker("server", "https://") ==
        "server: \"https://\" names no host; write it as https://master:6443");
  CHECK(worker("server", "https://m:99999").find("has no port of 1-65535") != std::string::npos);
  CHECK(worker("server", "https://[::1").find("has no ']'") != std::string::npos);
  CHECK(worker("token", "a b") == "token: is not a token of 'skiff token create'");
  CHECK(worker("token-file", "/nowhere/token").find("/nowhere/token") != std::string::npos);
  CHECK(worker("node-label", "-x=1").find("\"-x=1\"") != std::string::npos);
  for (const char* label : {"node-restriction.kubernetes.io/a=b", "node-role.kubernetes.io/x="})
    CHECK(worker("node-label", label).find("is not for nodes to say") != std::string::npos);
  CHECK(worker("node-taint", "a=b").find("has no effect") != std::string::npos);
  CHECK(worker("node-taint", "a=b:Sometimes").find("has no effect") != std::string::npos);
  CHECK(worker("replace", "perhaps") == "replace: \"perhaps\" is not true or false");
}

TEST_CASE("config files name the key that is wrong, and drop-ins come later") {
  namespace fs = std::filesystem;
  std::string folder = fs::temp_directory_path() / "skiff-config-test";
  fs::remove_all(folder);
  fs::create_directories(folder + "/config.yaml.d");
  std::string file = folder + "/config.yaml";
  std::ofstream(file) << "https-port: 7000\ntls-san:\n- a.example\n- 10.0.0.1\n";
  std::ofstream(folder + "/config.yaml.d/10.yaml") << "https-port: 7002\n";
  auto settings = read_config_files(file, true);
  REQUIRE(settings);
  CHECK((*settings)["https-port"] == std::vector<std::string>{"7002"});
  CHECK((*settings)["tls-san"].size() == 2);
  std::ofstream(folder + "/config.yaml.d/20.yaml") << "https-prot: 1\n";
  auto bad = read_config_files(file, true);
  REQUIRE_FALSE(bad.is_ok());
  CHECK(std::string(bad.status().message()).find("20.yaml: unknown setting \"https-prot\"") !=
        std::string::npos);
  fs::remove_all(folder);
  CHECK(read_config_files(file, false).is_ok());
  CHECK_FALSE(read_config_files(file, true).is_ok());
}

TEST_CASE("environment variables carry the same names") {
  const char* environment[] = {"PATH=/bin", "SKIFF_DATA_DIR=/d", "SKIFF_TLS_SAN=a,b", nullptr};
  auto settings = read_environment(environment);
  REQUIRE(settings);
  CHECK((*settings)["data-dir"] == std::vector<std::string>{"/d"});
  CHECK((*settings)["tls-san"].size() == 2);
  const char* unknown[] = {"SKIFF_DATADIR=/d", nullptr};
  CHECK_FALSE(read_environment(unknown).is_ok());
}

TEST_CASE("networks contain and overlap") {
  auto pods = parse_network("10.42.3.9/16");
  REQUIRE(pods);
  CHECK(format_ipv4(pods->address) == "10.42.0.0");
  CHECK(pods->contains(*parse_ipv4("10.42.255.1")));
  CHECK_FALSE(pods->contains(*parse_ipv4("10.43.0.1")));
  CHECK(pods->overlaps(*parse_network("10.42.9.0/24")));
  for (auto bad : {"10.42.0.0", "10.42.0.0/33", "10.42.0/16", "x/8", "10.0.0.0/8/9"})
    CHECK_FALSE(parse_network(bad).is_ok());
}

TEST_CASE("the node's address must be one of this host's") {
  CHECK(*find_node_ip("lo") == "127.0.0.1");
  CHECK(*find_node_ip("127.0.0.0/8") == "127.0.0.1");
  CHECK_FALSE(find_node_ip("192.0.2.55").is_ok());
  CHECK_FALSE(find_node_ip("nope0").is_ok());
}
