#include <skiff/base/strings.h>

#include "agent/container/plan_options.h"

#include <algorithm>

namespace skiff::agent {

namespace {

void add_host_aliases(const codec::Json& pod, std::string& out) {
  const auto& aliases = pod["spec"]["hostAliases"];
  if (aliases.empty()) return;
  out += "\n# Entries added by HostAliases.\n";
  for (const auto& alias : aliases.items()) {
    out += alias["ip"].as_string();
    for (const auto& name : alias["hostnames"].items()) out += base::concat("\t", name.as_string());
    out += '\n';
  }
}

struct Resolver {
  std::vector<std::string> nameservers, searches, options;
};

void add_unique(std::vector<std::string>& list, std::string_view value) {
  if (std::find(list.begin(), list.end(), value) == list.end()) list.emplace_back(value);
}

std::vector<std::string_view> words(std::string_view line) {
  std::vector<std::string_view> out;
  while (!line.empty()) {
    auto start = line.find_first_not_of(" \t\r");
    if (start == std::string_view::npos) break;
    line.remove_prefix(start);
    auto end = line.find_first_of(" \t\r");
    out.push_back(line.substr(0, end));
    line.remove_prefix(out.back().size());
  }
  return out;
}

Resolver parse_resolv_conf(std::string_view text) {
  Resolver out;
  for (auto line : base::split(text, '\n')) {
    auto parts = words(line);
    if (parts.size() < 2 || parts[0][0] == '#' || parts[0][0] == ';') continue;
    if (parts[0] == "nameserver") add_unique(out.nameservers, parts[1]);
    if (parts[0] == "search" || parts[0] == "domain") {
      out.searches.clear();
      for (std::size_t i = 1; i < parts.size(); ++i)
        if (parts[i] != ".") add_unique(out.searches, parts[i]);
    }
    if (parts[0] == "options")
      for (std::size_t i = 1; i < parts.size(); ++i) add_unique(out.options, parts[i]);
  }
  return out;
}

// An option of dnsConfig replaces one of the same name.
void merge_option(std::vector<std::string>& options, const codec::Json& added) {
  std::string name(added["name"].as_string());
  std::string text = name;
  if (added.contains("value")) text += base::concat(":", added["value"].as_string());
  for (auto& option : options) {
    if (option.substr(0, option.find(':')) != name) continue;
    option = text;
    return;
  }
  options.push_back(text);
}

}  // namespace

bool names_only_this_host(std::string_view resolv_conf) {
  auto servers = parse_resolv_conf(resolv_conf).nameservers;
  return !servers.empty() && std::all_of(servers.begin(), servers.end(), [](const auto& server) {
    return base::starts_with(server, "127.") || server == "::1";
  });
}

std::string plan_hosts_file(const codec::Json& pod, const std::string& pod_ip,
                            std::string_view hostname, std::string_view domain) {
  std::string out =
      "# Kubernetes-managed hosts file.\n"
      "127.0.0.1\tlocalhost\n"
      "::1\tlocalhost ip6-localhost ip6-loopback\n"
      "fe00::0\tip6-localnet\n"
      "fe00::0\tip6-mcastprefix\n"
      "fe00::1\tip6-allnodes\n"
      "fe00::2\tip6-allrouters\n";
  if (domain.empty()) {
    out += base::concat(pod_ip, "\t", hostname, "\n");
  } else {
    out += base::concat(pod_ip, "\t", hostname, ".", domain, "\t", hostname, "\n");
  }
  add_host_aliases(pod, out);
  return out;
}

std::string plan_host_network_hosts_file(const codec::Json& pod, std::string_view host_file) {
  std::string out = base::concat("# Kubernetes-managed hosts file (host network).\n", host_file);
  add_host_aliases(pod, out);
  return out;
}

std::string plan_resolv_conf(const codec::Json& pod, const DnsFacts& facts) {
  const auto& spec = pod["spec"];
  std::string_view policy = spec["dnsPolicy"].as_string("ClusterFirst");
  bool cluster = policy == "ClusterFirstWithHostNet" ||
                 (policy == "ClusterFirst" && !spec["hostNetwork"].as_bool());
  Resolver resolver;
  if (policy != "None") resolver = parse_resolv_conf(facts.host_resolv_conf);
  if (cluster && !facts.cluster_dns.empty()) {
    resolver.nameservers = facts.cluster_dns;
    std::vector<std::string> searches;
    std::string_view space = pod["metadata"]["namespace"].as_string();
    add_unique(searches, base::concat(space, ".svc.", facts.cluster_domain));
    add_unique(searches, base::concat("svc.", facts.cluster_domain));
    add_unique(searches, facts.cluster_domain);
    for (const auto& host_search : resolver.searches) add_unique(searches, host_search);
    resolver.searches = std::move(searches);
    resolver.options = {"ndots:5"};
  }
  const auto& config = spec["dnsConfig"];
  for (const auto& item : config["nameservers"].items())
    add_unique(resolver.nameservers, item.as_string());
  for (const auto& item : config["searches"].items())
    add_unique(resolver.searches, item.as_string());
  for (const auto& item : config["options"].items()) merge_option(resolver.options, item);
  std::string out;
  if (!resolver.searches.empty())
    out += base::concat("search ", base::join(resolver.searches, " "), "\n");
  for (const auto& server : resolver.nameservers) out += base::concat("nameserver ", server, "\n");
  if (!resolver.options.empty())
    out += base::concat("options ", base::join(resolver.options, " "), "\n");
  return out;
}

}  // namespace skiff::agent
