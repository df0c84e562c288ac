#include "apiserver/metrics.h"

#include <skiff/base/strings.h>

#include <algorithm>

namespace skiff::apiserver {

namespace {
constexpr std::string_view kVerbNames[] = {"get",    "list",  "watch",  "create",
                                           "update", "patch", "delete", "deletecollection"};
constexpr std::string_view kProtocolNames[] = {"v5.channel.k8s.io", "v4.channel.k8s.io",
                                               "portforward.k8s.io"};
constexpr std::string_view kTransportNames[] = {"spdy", "websocket"};
}  // namespace

void Metrics::count_stream(bool is_websocket, std::string_view protocol) {
  const auto* found = std::find(std::begin(kProtocolNames), std::end(kProtocolNames), protocol);
  const auto index = static_cast<std::size_t>(found - std::begin(kProtocolNames));
  streams_[is_websocket ? 1 : 0][index].fetch_add(1, std::memory_order_relaxed);
}

void Metrics::count_request(std::string_view verb, int code) {
  const auto* found = std::find(std::begin(kVerbNames), std::end(kVerbNames), verb);
  const auto index = static_cast<std::size_t>(found - std::begin(kVerbNames));
  const auto code_class = static_cast<std::size_t>(std::clamp(code / 100, 0, 5));
  requests_[index][code_class].fetch_add(1, std::memory_order_relaxed);
}

void Metrics::append_text(std::string& out) const {
  static_assert(kVerbs == std::size(kVerbNames) + 1);
  out +=
      "# HELP apiserver_request_total Requests by verb and class of the answer.\n"
      "# TYPE apiserver_request_total counter\n";
  for (std::size_t verb = 0; verb < kVerbs; ++verb) {
    for (std::size_t code = 1; code < kClasses; ++code) {
      auto count = requests_[verb][code].load(std::memory_order_relaxed);
      if (count == 0) continue;
      auto name = verb < std::size(kVerbNames) ? kVerbNames[verb] : std::string_view("other");
      out += base::concat("apiserver_request_total{verb=\"", name, "\",code=\"", code, "xx\"} ",
                          count, "\n");
    }
  }
  out += base::concat(
      "# HELP apiserver_longrunning_requests Watches that are open.\n"
      "# TYPE apiserver_longrunning_requests gauge\n"
      "apiserver_longrunning_requests{verb=\"watch\"} ",
      static_cast<long>(watches_.load()), "\n");
  static_assert(kProtocols == std::size(kProtocolNames) + 1);
  out +=
      "# HELP skiff_streams_total Streams to pods by transport and protocol.\n"
      "# TYPE skiff_streams_total counter\n";
  for (std::size_t transport = 0; transport < streams_.size(); ++transport) {
    for (std::size_t protocol = 0; protocol < kProtocols; ++protocol) {
      auto count = streams_[transport][protocol].load(std::memory_order_relaxed);
      if (count == 0) continue;
      auto name = protocol < std::size(kProtocolNames) ? kProtocolNames[protocol]
                                                       : std::string_view("other");
      out += base::concat("skiff_streams_total{transport=\"", kTransportNames[transport],
                          "\",protocol=\"", name, "\"} ", count, "\n");
    }
  }
}

}  // namespace skiff::apiserver
