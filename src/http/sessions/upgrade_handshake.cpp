#include <skiff/base/strings.h>

#include "http/framer.h"
#include "http/sessions/channel_session.h"
#include "http/sessions/websocket_codec.h"

#include <algorithm>

namespace skiff::http {

namespace {

constexpr std::string_view kTunnelPrefix = "SPDY/3.1+";
constexpr std::string_view kVersionHeader = "X-Stream-Protocol-Version";

// The tokens of all fields called `name`, in order.
std::vector<std::string> list_of(const Headers& headers, std::string_view name) {
  std::vector<std::string> tokens;
  for (auto value : headers.get_all(name))
    for (auto token : base::split(value, ','))
      if (auto text = base::trim(token); !text.empty()) tokens.emplace_back(text);
  return tokens;
}

// What a client that names no subprotocol means by a WebSocket, as upstream has it.
constexpr std::string_view kUnnamedProtocols[] = {"channel.k8s.io", "binary.k8s.io"};

bool contains(const std::vector<std::string>& list, std::string_view text) {
  return std::find(list.begin(), list.end(), text) != list.end();
}

Handshake refused(int status, std::string reason) {
  Handshake answer;
  answer.status = status;
  answer.reason = std::move(reason);
  return answer;
}

// Go prints a list of strings so.
std::string go_list(const std::vector<std::string>& list) {
  return base::concat("[", base::join(list, " "), "]");
}

Handshake negotiate_websocket(std::string_view method, const Headers& request,
                              const std::vector<std::string>& protocols) {
  if (method != "GET") return refused(405, "websocket: request method is not GET");
  if (request.get("Sec-WebSocket-Version") != "13") {
    Handshake answer = refused(426, "websocket: unsupported version: 13 is required");
    answer.headers.add("Sec-WebSocket-Version", "13");
    return answer;
  }
  std::string_view key = request.get("Sec-WebSocket-Key");
  if (key.size() != 24 || key.substr(22) != "==")
    return refused(400,
                   "websocket: 'Sec-WebSocket-Key' header must be a Base64 encoded value of "
                   "16 bytes");
  auto offered = list_of(request, "Sec-WebSocket-Protocol");
  Handshake answer;
  std::string chosen;
  for (const auto& protocol : protocols) {
    std::string tunneled = base::concat(kTunnelPrefix, protocol);
    if (contains(offered, protocol)) {
      answer.kind = Handshake::Kind::websocket;
      chosen = protocol;
    } else if (contains(offered, tunneled)) {
      answer.kind = Handshake::Kind::tunnel;
      chosen = tunneled;
    } else {
      continue;
    }
    answer.protocol = protocol;
    break;
  }
  for (std::string_view unnamed : kUnnamedProtocols) {
    if (!offered.empty() || !contains(protocols, unnamed)) continue;
    answer.kind = Handshake::Kind::websocket;
    answer.protocol = unnamed;
  }
  if (answer.kind == Handshake::Kind::refused)
    return refused(400, base::concat("unable to upgrade: unable to negotiate protocol: client "
                                     "supports ",
                                     go_list(offered), ", server accepts ", go_list(protocols)));
  answer.headers.add("Upgrade", "websocket");
  answer.headers.add("Connection", "Upgrade");
  answer.headers.add("Sec-WebSocket-Accept", websocket_accept(key));
  if (!chosen.empty()) answer.headers.add("Sec-WebSocket-Protocol", chosen);
  return answer;
}

Handshake negotiate_spdy(const Headers& request, const std::vector<std::string>& protocols) {
  auto offered = list_of(request, kVersionHeader);
  if (offered.empty())
    return refused(400, base::concat("unable to upgrade: ", kVersionHeader, " header is required"));
  for (const auto& protocol : protocols) {
    if (!contains(offered, protocol)) continue;
    Handshake answer;
    answer.kind = Handshake::Kind::spdy;
    answer.protocol = protocol;
    answer.headers.add("Connection", "Upgrade");
    answer.headers.add("Upgrade", "SPDY/3.1");
    answer.headers.add(std::string(kVersionHeader), protocol);
    return answer;
  }
  Handshake answer =
      refused(403, base::concat("unable to upgrade: unable to negotiate protocol: client supports ",
                                go_list(offered), ", server accepts ", go_list(protocols)));
  for (const auto& protocol : protocols)
    answer.headers.add("X-Accepted-Stream-Protocol-Versions", protocol);
  return answer;
}

}  // namespace

Handshake negotiate_upgrade(std::string_view method, const Headers& request,
                            const std::vector<std::string>& protocols) {
  if (list_has_token(request, "Connection", "upgrade")) {
    if (list_has_token(request, "Upgrade", "websocket"))
      return negotiate_websocket(method, request, protocols);
    if (list_has_token(request, "Upgrade", "SPDY/3.1")) return negotiate_spdy(request, protocols);
  }
  return refused(400,
                 base::concat("unable to upgrade: missing upgrade headers in request: "
                              "Connection: ",
                              request.get("Connection"), ", Upgrade: ", request.get("Upgrade")));
}

}  // namespace skiff::http
