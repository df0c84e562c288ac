// How probes and hooks reach a container. The real one works on the loop; tests have their own.
#pragma once

#include <skiff/base/clock.h>
#include <skiff/base/result.h>
#include <skiff/base/task.h>
#include <skiff/codec/json.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace skiff::agent {

struct AgentContext;

struct HttpGet {
  std::string scheme = "HTTP", host, path = "/";
  std::uint16_t port = 0;
  std::vector<std::pair<std::string, std::string>> headers;
  // A hook has done its work with any answer.
  bool is_hook = false;
};

// A gRPC server's own word on its health; `service` may be empty.
struct GrpcCheck {
  std::string host, service;
  std::uint16_t port = 0;
};

struct ProbeResult {
  bool is_success = false;
  std::string output;  // of a failure: the sentence for the event
  // Nothing was found out about the container: it counts neither way.
  bool is_error = false;
};

// Loop-only. No call outlives its timeout by more than a moment; none fails but by ProbeResult.
class Prober {
 public:
  virtual ~Prober() = default;
  virtual base::Task<ProbeResult> http_get(HttpGet get, base::Duration timeout,
                                           base::CancelToken cancel) = 0;
  virtual base::Task<ProbeResult> connect_tcp(std::string host, std::uint16_t port,
                                              base::Duration timeout, base::CancelToken cancel) = 0;
  virtual base::Task<ProbeResult> check_grpc(GrpcCheck check, base::Duration timeout,
                                             base::CancelToken cancel) = 0;
  // Output of stdout and stderr together, cut to 10 KiB.
  virtual base::Task<ProbeResult> exec(std::string container_id, std::vector<std::string> command,
                                       base::Duration timeout, base::CancelToken cancel) = 0;
};

// A port by number or by the container's name for it; 0 when unknown.
std::uint16_t resolve_port(const codec::Json& container, const codec::Json& port);
HttpGet make_http_get(const codec::Json& action, const codec::Json& container,
                      const std::string& pod_ip, std::string_view user_agent);

// Where a redirect leads that is followed: to the same host. nullopt for one that is not.
std::optional<HttpGet> plan_redirect(const HttpGet& get, std::string_view location);

enum class ActionUse : unsigned char { probe, hook };

// Runs the action of a probe or hook (httpGet, tcpSocket, grpc, exec, sleep).
// REQUIRES: `action`, `container` and `pod_ip` outlive the task.
base::Task<ProbeResult> run_action(Prober& prober, base::Timers& timers, ActionUse use,
                                   const codec::Json& action, const codec::Json& container,
                                   std::string container_id, const std::string& pod_ip,
                                   base::Duration timeout, base::CancelToken cancel);

}  // namespace skiff::agent
