// What `skiff run` is told: flags over environment over config files over defaults.
#pragma once

#include <skiff/base/log.h>
#include <skiff/base/result.h>

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace skiff::app {

struct NodeTaint {
  std::string key, value, effect;
};

struct ServerAddress {
  std::string host;
  std::uint16_t port = 6443;
};

struct Config {
  bool master = true, worker = true;
  std::vector<ServerAddress> servers;  // of a worker alone: its masters
  std::string token;                   // of a worker alone: to join with
  bool replace = false;                // join under a name that another key holds
  std::vector<std::pair<std::string, std::string>> node_labels;
  std::vector<NodeTaint> node_taints;  // only at registration
  std::string data_dir = "/var/lib/skiff";
  std::string runtime_dir = "/run/skiff";
  std::string node_name;  // empty: the host's name
  std::string node_ip;    // address, interface or CIDR; empty: what the kernel would use
  std::string bind_address;
  std::uint16_t https_port = 6443;
  std::size_t io_loops = 1;  // threads for the connections of a master's clients
  std::vector<std::string> tls_san;
  std::string cluster_cidr = "10.42.0.0/16";
  std::string service_cidr = "10.43.0.0/16";
  std::string cluster_dns = "10.43.0.10";
  std::string cluster_domain = "cluster.local";
  std::uint16_t node_port_first = 30000, node_port_last = 32767;
  std::string cgroup_parent = "skiff";
  std::string runtime = "runc";
  std::string write_kubeconfig;  // empty: <data-dir>/admin.kubeconfig
  base::LogLevel log_level = base::LogLevel::info;
  base::LogFormat log_format = base::LogFormat::text;
};

// One setting, the same name as a flag ("--data-dir"), in a config file ("data-dir:") and, upper
// case with underscores and the prefix SKIFF_, as an environment variable.
struct Setting {
  std::string_view name;
  std::string_view placeholder;  // of the value in the help
  std::string_view help;
  bool is_list = false;
  bool is_switch = false;  // true when the flag stands without a value
  // Checks and stores the value; the message says what is wrong with it, without the name.
  base::Status (*apply)(Config& config, const std::vector<std::string>& values) = nullptr;
};
std::span<const Setting> run_settings();

// Setting name to its values.
using Settings = std::map<std::string, std::vector<std::string>, std::less<>>;

// Reads a config file and, when it is the default one, the *.yaml files of "<file>.d" after it in
// order of their names. A missing default file is no error. Unknown keys are errors that name file
// and key.
base::Result<Settings> read_config_files(const std::string& path, bool is_required);
// SKIFF_* of the environment (`environment` as in environ). Unknown SKIFF_ names are errors.
base::Result<Settings> read_environment(const char* const* environment);

// Merges (later wins) and checks everything, also how the settings fit together.
base::Result<Config> make_config(const std::vector<Settings>& layers);

inline constexpr std::string_view kDefaultConfigFile = "/etc/skiff/config.yaml";
// Mirrors, credentials and TLS of image registries.
inline constexpr std::string_view kRegistriesFile = "/etc/skiff/registries.yaml";

// The first letters of the names of host links that are this node's, from its cgroup parent, so
// that several nodes run side by side. Five bytes at most.
std::string link_prefix(const Config& config);
// The name of this node's nftables table.
std::string rules_table(const Config& config);

}  // namespace skiff::app
