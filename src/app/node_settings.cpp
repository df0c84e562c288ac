#include "app/node_settings.h"

#include <skiff/api/node_labels.h>
#include <skiff/api/validation.h>
#include <skiff/base/strings.h>
#include <skiff/sys/files.h>

#include "app/limits.h"

#include <algorithm>
#include <array>

namespace skiff::app {

namespace {

constexpr std::array<std::string_view, 3> kTaintEffects{"NoSchedule", "PreferNoSchedule",
                                                        "NoExecute"};

base::Status check_pair(std::string_view key, std::string_view value) {
  auto problems = api::check_qualified_name(key);
  if (problems.empty()) problems = api::check_label_value(value);
  if (problems.empty()) return base::Status::ok();
  return base::invalid_argument(problems.front());
}

// "key=value" or "key".
std::pair<std::string_view, std::string_view> split_pair(std::string_view text) {
  auto equals = text.find('=');
  if (equals == text.npos) return {text, {}};
  return {text.substr(0, equals), text.substr(equals + 1)};
}

base::Result<ServerAddress> parse_server(std::string_view text) {
  constexpr std::string_view kScheme = "https://";
  auto wrong = [&](std::string_view why) {
    return base::invalid_argument(
        base::concat(base::quote(text), " ", why, "; write it as https://master:6443"));
  };
  if (!base::starts_with(text, kScheme)) return wrong("is not an https address");
  std::string_view rest = text.substr(kScheme.size());
  if (base::ends_with(rest, "/")) rest.remove_suffix(1);
  ServerAddress server;
  std::string_view port;
  if (base::starts_with(rest, "[")) {
    auto end = rest.find(']');
    if (end == rest.npos) return wrong("has no ']'");
    server.host = rest.substr(1, end - 1);
    rest.remove_prefix(end + 1);
    if (!rest.empty() && rest[0] != ':') return wrong("has text after ']'");
    if (!rest.empty()) port = rest.substr(1);
  } else {
    auto colon = rest.find(':');
    server.host = rest.substr(0, colon);
    if (colon != rest.npos) port = rest.substr(colon + 1);
  }
  bool good = !server.host.empty() && server.host.size() <= 253 &&
              server.host.find_first_of("/?#@ ") == std::string::npos;
  if (!good) return wrong("names no host");
  if (port.empty()) return server;
  auto number = base::parse_int(port);
  if (!number || *number < 1 || *number > 65535) return wrong("has no port of 1-65535");
  server.port = static_cast<std::uint16_t>(*number);
  return server;
}

}  // namespace

base::Status set_servers(Config& config, const std::vector<std::string>& values) {
  if (values.size() > kServersMax)
    return base::invalid_argument(base::concat("names more than ", kServersMax, " masters"));
  config.servers.clear();
  for (const auto& value : values) {
    SKIFF_ASSIGN_OR_RETURN(auto server, parse_server(value));
    config.servers.push_back(std::move(server));
  }
  return base::Status::ok();
}

base::Status set_token(Config& config, const std::vector<std::string>& values) {
  const std::string& value = values.back();
  // A token is one word: a line break at its end comes from the file that it was kept in.
  std::string word(base::trim(value));
  if (word.empty() || word.size() > kTokenBytesMax ||
      word.find_first_of(" \t\r\n") != std::string::npos)
    return base::invalid_argument("is not a token of 'skiff token create'");
  config.token = std::move(word);
  return base::Status::ok();
}

base::Status set_token_file(Config& config, const std::vector<std::string>& values) {
  auto text = sys::read_file(values.back(), kKeyFileBytesMax);
  if (!text) return text.status();
  return set_token(config, {std::move(*text)});
}

base::Status set_node_labels(Config& config, const std::vector<std::string>& values) {
  config.node_labels.clear();
  for (const auto& text : values) {
    auto [key, value] = split_pair(text);
    auto checked = check_pair(key, value);
    if (!checked) return checked.with_context(base::quote(text));
    if (!api::may_node_label_itself(key))
      return base::invalid_argument(base::concat(
          base::quote(text),
          " is not for nodes to say: of kubernetes.io and k8s.io they may set what "
          "describes them, kubelet.kubernetes.io and node.kubernetes.io; kubectl label "
          "sets the others"));
    config.node_labels.emplace_back(key, value);
  }
  return base::Status::ok();
}

base::Status set_node_taints(Config& config, const std::vector<std::string>& values) {
  config.node_taints.clear();
  for (const auto& text : values) {
    auto colon = text.rfind(':');
    std::string_view effect;
    if (colon != std::string::npos) effect = std::string_view(text).substr(colon + 1);
    bool known =
        std::find(kTaintEffects.begin(), kTaintEffects.end(), effect) != kTaintEffects.end();
    if (!known)
      return base::invalid_argument(
          base::concat(base::quote(text),
                       " has no effect; write it as key=value:NoSchedule, key:PreferNoSchedule or "
                       "key:NoExecute"));
    auto [key, value] = split_pair(std::string_view(text).substr(0, colon));
    auto checked = check_pair(key, value);
    if (!checked) return checked.with_context(base::quote(text));
    config.node_taints.push_back({std::string(key), std::string(value), std::string(effect)});
  }
  return base::Status::ok();
}

}  // namespace skiff::app
