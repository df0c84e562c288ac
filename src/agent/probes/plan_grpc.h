// gRPC health checks (grpc.health.v1.Health/Check): what goes out and what comes back. Pure.
#pragma once

#include <skiff/base/clock.h>
#include <skiff/base/status.h>

#include <string>
#include <string_view>

#include "agent/probes/prober.h"

namespace skiff::agent {

// The body of the request: a length-prefixed HealthCheckRequest.
std::string grpc_health_request(std::string_view service);

// Of an answer: the HTTP status, grpc-status and grpc-message (empty when absent), and the body.
struct GrpcAnswer {
  int http_status = 200;
  std::string_view status, message, body;
};
// Healthy when the server says SERVING; else the kubelet's sentence.
ProbeResult plan_grpc_health(const GrpcAnswer& answer, base::Duration timeout);

// The sentence when there is no answer: nobody there, or none in time.
std::string grpc_connect_failure(std::string_view address, const base::Status& failure,
                                 base::Duration timeout);
std::string grpc_call_failure(const base::Status& failure, base::Duration timeout);

}  // namespace skiff::agent
