#include "agent/probes/prober.h"

#include <skiff/base/strings.h>

namespace skiff::agent {

std::uint16_t resolve_port(const codec::Json& container, const codec::Json& port) {
  std::int64_t number = port.as_int();
  if (port.is_string()) {
    number = 0;
    for (const auto& named : container["ports"].items())
      if (named["name"].as_string() == port.as_string()) number = named["containerPort"].as_int();
    if (number == 0) number = base::parse_int(port.as_string()).value_or(0);
  }
  return number > 0 && number < 65536 ? static_cast<std::uint16_t>(number) : std::uint16_t{0};
}

HttpGet make_http_get(const codec::Json& action, const codec::Json& container,
                      const std::string& pod_ip, std::string_view user_agent) {
  HttpGet get;
  get.scheme = action["scheme"].as_string("HTTP");
  get.host = action["host"].as_string();
  if (get.host.empty()) get.host = pod_ip;
  get.path = action["path"].as_string();
  if (get.path.empty() || get.path[0] != '/') get.path.insert(0, "/");
  get.port = resolve_port(container, action["port"]);
  bool has_agent = false, has_accept = false;
  for (const auto& header : action["httpHeaders"].items()) {
    std::string name(header["name"].as_string());
    has_agent = has_agent || base::equals_ignore_case(name, "User-Agent");
    has_accept = has_accept || base::equals_ignore_case(name, "Accept");
    get.headers.emplace_back(std::move(name), header["value"].as_string());
  }
  if (!has_agent) get.headers.emplace_back("User-Agent", user_agent);
  if (!has_accept) get.headers.emplace_back("Accept", "*/*");
  return get;
}

std::optional<HttpGet> plan_redirect(const HttpGet& get, std::string_view location) {
  HttpGet next = get;
  location = location.substr(0, location.find('#'));
  auto scheme_end = location.find("://");
  const bool has_scheme =
      scheme_end != location.npos && location.find_first_of("/?") == scheme_end + 1;
  auto first = location.find_first_of(":/?");
  if (first != location.npos && location[first] == ':' && !has_scheme) return std::nullopt;
  if (has_scheme) {
    next.scheme = location.substr(0, scheme_end);
    location.remove_prefix(scheme_end + 1);
  }
  if (base::starts_with(location, "//")) {
    location.remove_prefix(2);
    auto authority = location.substr(0, location.find_first_of("/?"));
    location.remove_prefix(authority.size());
    auto colon = authority.rfind(':');
    auto port =
        colon == authority.npos ? std::nullopt : base::parse_int(authority.substr(colon + 1));
    if (!base::equals_ignore_case(authority.substr(0, colon), get.host)) return std::nullopt;
    const bool is_https = base::equals_ignore_case(next.scheme, "https");
    next.port = static_cast<std::uint16_t>(port.value_or(is_https ? 443 : 80));
  } else if (has_scheme) {
    return std::nullopt;
  }
  std::string_view folder = std::string_view(get.path).substr(0, get.path.find('?'));
  if (location.empty() || location[0] == '?')
    next.path = base::concat(has_scheme ? "/" : folder, location);
  else if (location[0] == '/')
    next.path = location;
  else
    next.path = base::concat(folder.substr(0, folder.rfind('/') + 1), location);
  return next;
}

base::Task<ProbeResult> run_action(Prober& prober, base::Timers& timers, ActionUse use,
                                   const codec::Json& action, const codec::Json& container,
                                   std::string container_id, const std::string& pod_ip,
                                   base::Duration timeout, base::CancelToken cancel) {
  if (action.contains("exec")) {
    std::vector<std::string> command;
    for (const auto& word : action["exec"]["command"].items())
      command.emplace_back(word.as_string());
    auto task = prober.exec(container_id, std::move(command), timeout, cancel);
    co_return co_await std::move(task);
  }
  if (action.contains("httpGet")) {
    HttpGet get = make_http_get(action["httpGet"], container, pod_ip, "kube-probe/1.36");
    get.is_hook = use == ActionUse::hook;
    if (get.port == 0) {
      ProbeResult unknown_port{false, "couldn't find port in the container", false};
      co_return unknown_port;
    }
    auto task = prober.http_get(std::move(get), timeout, cancel);
    co_return co_await std::move(task);
  }
  if (action.contains("tcpSocket")) {
    std::string host(action["tcpSocket"]["host"].as_string());
    if (host.empty()) host = pod_ip;
    std::uint16_t port = resolve_port(container, action["tcpSocket"]["port"]);
    auto task = prober.connect_tcp(std::move(host), port, timeout, cancel);
    co_return co_await std::move(task);
  }
  if (action.contains("sleep")) {
    auto pause = std::chrono::seconds(action["sleep"]["seconds"].as_int());
    bool slept = co_await base::sleep(timers, pause, cancel);
    ProbeResult result{slept, slept ? "" : "cancelled", false};
    co_return result;
  }
  if (action.contains("grpc")) {
    GrpcCheck check;
    check.host = pod_ip;
    check.port = resolve_port(container, action["grpc"]["port"]);
    check.service = action["grpc"]["service"].as_string();
    auto task = prober.check_grpc(std::move(check), timeout, cancel);
    co_return co_await std::move(task);
  }
  ProbeResult unsupported{false, "handlers of this kind are not supported", false};
  co_return unsupported;
}

}  // namespace skiff::agent
