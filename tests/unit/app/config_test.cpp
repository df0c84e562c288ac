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
  CHECK(config->cluster_cidr == "10.42.0.0/16");
}

TEST_CASE("a bad value is refused with its name") {
  CHECK(refusal({{"https-port", {"x"}}}) == "https-port: \"x\" is not a port (1-65535)");
  CHECK(refusal({{"data-dir", {"rel"}}}) == "data-dir: \"rel\" is not an absolute path");
  CHECK(refusal({{"cluster-dns", {"10.44.0.1"}}}) ==
        "cluster-dns 10.44.0.1 is not in service-cidr 10.43.0.0/16");
  CHECK(refusal({{"cluster-cidr", {"10.43.128.0/17"}}}).find("overlap") != std::string::npos);
  CHECK(refusal({{"role", {"worker"}}}).find("alone is not there yet") != std::string::npos);
  CHECK(refusal({{"role", {"boss"}}}).find("roles are master and worker") != std::string::npos);
  CHECK(refusal({{"service-node-port-range", {"2-1"}}}).find("ends before it begins") !=
        std::string::npos);
  CHECK(refusal({{"node-name", {"Web"}}}).find("lower-case DNS name") != std::string::npos);
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
