#include <skiff/app/config.h>
#include <skiff/base/strings.h>

#include "app/addresses.h"
#include "app/limits.h"
#include "app/node_settings.h"

#include <algorithm>

namespace skiff::app {

namespace {

using Values = std::vector<std::string>;

base::Status absolute_path(std::string& target, const std::string& value) {
  if (value.empty() || value[0] != '/')
    return base::invalid_argument(base::concat(base::quote(value), " is not an absolute path"));
  target = value;
  while (target.size() > 1 && target.back() == '/') target.pop_back();
  return base::Status::ok();
}

base::Status plain_text(std::string& target, const std::string& value) {
  if (value.empty()) return base::invalid_argument("is empty");
  target = value;
  return base::Status::ok();
}

base::Status port(std::uint16_t& target, std::string_view value) {
  auto number = base::parse_int(value);
  if (!number || *number < 1 || *number > 65535)
    return base::invalid_argument(base::concat(base::quote(value), " is not a port (1-65535)"));
  target = static_cast<std::uint16_t>(*number);
  return base::Status::ok();
}

base::Status io_loops(Config& config, const Values& values) {
  auto number = base::parse_int(values.back());
  if (!number || *number < 1 || *number > static_cast<long long>(kIoLoopsMax))
    return base::invalid_argument(base::concat(
        base::quote(values.back()), " is not a number of threads from 1 to ", kIoLoopsMax));
  config.io_loops = static_cast<std::size_t>(*number);
  return base::Status::ok();
}

base::Status network(std::string& target, const std::string& value) {
  SKIFF_RETURN_IF_ERROR(parse_network(value));
  target = value;
  return base::Status::ok();
}

base::Status yes_or_no(bool& target, const std::string& value) {
  if (value != "true" && value != "false")
    return base::invalid_argument(base::concat(base::quote(value), " is not true or false"));
  target = value == "true";
  return base::Status::ok();
}

base::Status dns_name(std::string& target, const std::string& value) {
  bool good = !value.empty() && value.size() <= 253 && value.front() != '-' && value.back() != '-';
  for (char c : value)
    good = good && ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.');
  if (!good)
    return base::invalid_argument(
        base::concat(base::quote(value), " is not a lower-case DNS name (RFC 1123)"));
  target = value;
  return base::Status::ok();
}

base::Status role(Config& config, const Values& values) {
  config.master = config.worker = false;
  for (const auto& value : values) {
    if (value == "master")
      config.master = true;
    else if (value == "worker")
      config.worker = true;
    else
      return base::invalid_argument(
          base::concat(base::quote(value), " is no role; roles are master and worker"));
  }
  if (!config.master && !config.worker)
    return base::invalid_argument("names no role; roles are master and worker");
  return base::Status::ok();
}

base::Status cgroup_parent(Config& config, const Values& values) {
  const std::string& value = values.back();
  bool good = !value.empty() && value.size() <= 31;
  for (char c : value)
    good = good && ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_');
  if (!good)
    return base::invalid_argument(base::concat(
        base::quote(value), " is not a cgroup name of lower-case letters, digits, '-' and '_'"));
  config.cgroup_parent = value;
  return base::Status::ok();
}

base::Status node_ports(Config& config, const Values& values) {
  auto ends = base::split(values.back(), '-');
  if (ends.size() != 2)
    return base::invalid_argument(
        base::concat(base::quote(values.back()), " is not a range such as 30000-32767"));
  SKIFF_RETURN_IF_ERROR(port(config.node_port_first, ends[0]));
  SKIFF_RETURN_IF_ERROR(port(config.node_port_last, ends[1]));
  if (config.node_port_first > config.node_port_last)
    return base::invalid_argument(
        base::concat(base::quote(values.back()), " ends before it begins"));
  return base::Status::ok();
}

base::Status log_level(Config& config, const Values& values) {
  static constexpr std::pair<std::string_view, base::LogLevel> kLevels[] = {
      {"debug", base::LogLevel::debug},
      {"info", base::LogLevel::info},
      {"warning", base::LogLevel::warning},
      {"error", base::LogLevel::error}};
  for (const auto& [name, level] : kLevels) {
    if (values.back() != name) continue;
    config.log_level = level;
    return base::Status::ok();
  }
  return base::invalid_argument(
      base::concat(base::quote(values.back()), " is not one of debug, info, warning, error"));
}

base::Status log_format(Config& config, const Values& values) {
  if (values.back() != "text" && values.back() != "json")
    return base::invalid_argument(base::concat(base::quote(values.back()), " is not text or json"));
  config.log_format = values.back() == "json" ? base::LogFormat::json : base::LogFormat::text;
  return base::Status::ok();
}

constexpr Setting kSettings[] = {
    {"role", "LIST", "parts to run: master, worker or both (default master,worker)", true, false,
     role},
    {"server", "LIST", "masters of a worker, as https://master:6443", true, false, set_servers},
    {"token-file", "FILE", "file with the token, which then stands in no list of processes", false,
     false, set_token_file},
    {"token", "TOKEN", "token of 'skiff token create' that a worker joins with", false, false,
     set_token},
    {"replace", "", "join under a name that another board holds", false, true,
     [](Config& c, const Values& v) { return yes_or_no(c.replace, v.back()); }},
    {"node-label", "LIST", "labels of this node, as key=value", true, false, set_node_labels},
    {"node-taint", "LIST", "taints of a new node, as key=value:Effect", true, false,
     set_node_taints},
    {"data-dir", "FOLDER", "what must survive a reboot (default /var/lib/skiff)", false, false,
     [](Config& c, const Values& v) { return absolute_path(c.data_dir, v.back()); }},
    {"runtime-dir", "FOLDER", "what need not survive a reboot (default /run/skiff)", false, false,
     [](Config& c, const Values& v) { return absolute_path(c.runtime_dir, v.back()); }},
    {"node-name", "NAME", "name of this node (default: the host's name)", false, false,
     [](Config& c, const Values& v) { return dns_name(c.node_name, v.back()); }},
    {"node-ip", "ADDRESS", "address, interface or network of this node", false, false,
     [](Config& c, const Values& v) { return plain_text(c.node_ip, v.back()); }},
    {"bind-address", "ADDRESS", "address that the API listens on (default: every one)", false,
     false, [](Config& c, const Values& v) { return plain_text(c.bind_address, v.back()); }},
    {"https-port", "PORT", "port of the API (default 6443)", false, false,
     [](Config& c, const Values& v) { return port(c.https_port, v.back()); }},
    {"io-loops", "NUMBER", "threads for connections to the API (default 1)", false, false,
     io_loops},
    {"tls-san", "LIST", "further names and addresses in the API's certificate", true, false,
     [](Config& c, const Values& v) {
       c.tls_san = v;
       return base::Status::ok();
     }},
    {"cluster-cidr", "NETWORK", "addresses of pods (default 10.42.0.0/16)", false, false,
     [](Config& c, const Values& v) { return network(c.cluster_cidr, v.back()); }},
    {"service-cidr", "NETWORK", "addresses of Services (default 10.43.0.0/16)", false, false,
     [](Config& c, const Values& v) { return network(c.service_cidr, v.back()); }},
    {"cluster-dns", "ADDRESS", "address of the cluster's DNS (default 10.43.0.10)", false, false,
     [](Config& c, const Values& v) {
       SKIFF_RETURN_IF_ERROR(parse_ipv4(v.back()));
       c.cluster_dns = v.back();
       return base::Status::ok();
     }},
    {"cluster-domain", "NAME", "domain of cluster names (default cluster.local)", false, false,
     [](Config& c, const Values& v) { return dns_name(c.cluster_domain, v.back()); }},
    {"service-node-port-range", "RANGE", "ports of NodePort Services (default 30000-32767)", false,
     false, node_ports},
    {"cgroup-parent", "NAME", "cgroup of all pods (default skiff)", false, false, cgroup_parent},
    {"runtime", "PROGRAM", "OCI runtime, a name or a path (default runc)", false, false,
     [](Config& c, const Values& v) { return plain_text(c.runtime, v.back()); }},
    {"write-kubeconfig", "FILE", "where to write the admin's kubeconfig", false, false,
     [](Config& c, const Values& v) { return absolute_path(c.write_kubeconfig, v.back()); }},
    {"log-level", "LEVEL", "debug, info, warning or error (default info)", false, false, log_level},
    {"log-format", "FORMAT", "text or json (default text)", false, false, log_format},
};

base::Status check_networks(const Config& config) {
  SKIFF_ASSIGN_OR_RETURN(Network pods, parse_network(config.cluster_cidr));
  SKIFF_ASSIGN_OR_RETURN(Network services, parse_network(config.service_cidr));
  SKIFF_ASSIGN_OR_RETURN(std::uint32_t dns, parse_ipv4(config.cluster_dns));
  if (pods.overlaps(services))
    return base::invalid_argument(base::concat("cluster-cidr ", config.cluster_cidr,
                                               " and service-cidr ", config.service_cidr,
                                               " overlap; give them different networks"));
  if (pods.prefix_bits > 24)
    return base::invalid_argument(base::concat("cluster-cidr ", config.cluster_cidr,
                                               " is too small: every node takes a /24 of it"));
  if (services.prefix_bits > 28 || services.prefix_bits < 12)
    return base::invalid_argument(base::concat("service-cidr ", config.service_cidr,
                                               " must have a prefix between /12 and /28"));
  if (!services.contains(dns))
    return base::invalid_argument(base::concat("cluster-dns ", config.cluster_dns,
                                               " is not in service-cidr ", config.service_cidr));
  return base::Status::ok();
}

// A worker that has joined before needs no token: `app/join` knows.
base::Status check_roles(const Config& config) {
  if (config.master && !config.servers.empty())
    return base::invalid_argument(
        "server names the masters of a worker; leave it away on a master, or give --role worker");
  if (config.master && !config.token.empty())
    return base::invalid_argument(
        "token is what a worker joins with; leave it away on a master, or give --role worker");
  if (!config.master && config.servers.empty())
    return base::invalid_argument(
        "a worker alone needs its master: give --server https://<master>:6443");
  return base::Status::ok();
}

}  // namespace

std::span<const Setting> run_settings() { return kSettings; }

base::Result<Config> make_config(const std::vector<Settings>& layers) {
  Settings merged;
  for (const auto& layer : layers)
    for (const auto& [name, values] : layer) merged.insert_or_assign(name, values);
  Config config;
  for (const auto& setting : kSettings) {
    auto found = merged.find(setting.name);
    if (found == merged.end() || found->second.empty()) continue;
    SKIFF_RETURN_IF_ERROR(setting.apply(config, found->second).with_context(setting.name));
  }
  SKIFF_RETURN_IF_ERROR(check_roles(config));
  SKIFF_RETURN_IF_ERROR(check_networks(config));
  return config;
}

std::string link_prefix(const Config& config) {
  if (config.cgroup_parent == Config().cgroup_parent) return "sk";
  std::uint32_t hash = 2166136261u;
  for (unsigned char c : config.cgroup_parent) hash = (hash ^ c) * 16777619u;
  static constexpr char kLetters[] = "abcdefghijklmnopqrstuvwxyz";
  return {'s', 'k', kLetters[hash % 26], kLetters[hash / 26 % 26], kLetters[hash / 676 % 26]};
}

std::string rules_table(const Config& config) {
  // 31 bytes on old kernels.
  return config.cgroup_parent.substr(0, 31);
}

}  // namespace skiff::app
