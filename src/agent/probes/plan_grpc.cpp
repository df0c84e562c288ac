#include "agent/probes/plan_grpc.h"

#include <skiff/base/strings.h>
#include <skiff/codec/protobuf.h>

#include <cstdint>
#include <iterator>
#include <optional>

namespace skiff::agent {

namespace {

constexpr std::size_t kPrefixBytes = 5;  // compressed or not, length
constexpr std::uint64_t kServing = 1;
constexpr std::string_view kServingNames[] = {"UNKNOWN", "SERVING", "NOT_SERVING",
                                              "SERVICE_UNKNOWN"};
constexpr std::string_view kCodeNames[] = {
    "OK",       "Canceled",       "Unknown",          "InvalidArgument",   "DeadlineExceeded",
    "NotFound", "AlreadyExists",  "PermissionDenied", "ResourceExhausted", "FailedPrecondition",
    "Aborted",  "OutOfRange",     "Unimplemented",    "Internal",          "Unavailable",
    "DataLoss", "Unauthenticated"};
constexpr std::int64_t kDeadlineExceeded = 4, kUnimplemented = 12;

std::string seconds(base::Duration timeout) {
  return base::concat(timeout.count() / 1'000'000'000, "s");
}

ProbeResult failure(std::string output) { return {false, std::move(output)}; }

ProbeResult rpc_error(std::string_view code, std::string_view message) {
  return failure(base::concat("error: health rpc probe failed: rpc error: code = ", code,
                              " desc = ", message));
}

// HealthCheckResponse.status; nullopt for what is no such message.
std::optional<std::uint64_t> serving_status(std::string_view body) {
  if (body.size() < kPrefixBytes || body[0] != 0) return std::nullopt;
  std::size_t length = 0;
  for (std::size_t i = 1; i < kPrefixBytes; ++i)
    length = length << 8 | static_cast<unsigned char>(body[i]);
  body.remove_prefix(kPrefixBytes);
  if (body.size() < length) return std::nullopt;
  std::uint64_t status = 0;
  codec::ProtobufReader reader(body.substr(0, length));
  while (!reader.at_end()) {
    auto field = reader.next();
    if (!field) return std::nullopt;
    if (field->number == 1) status = field->value;
  }
  return status;
}

}  // namespace

std::string grpc_health_request(std::string_view service) {
  std::string message;
  if (!service.empty()) codec::write_protobuf_bytes(1, service, message);
  std::string out(1, '\0');
  for (int shift = 24; shift >= 0; shift -= 8)
    out += static_cast<char>(message.size() >> shift & 0xff);
  return out + message;
}

ProbeResult plan_grpc_health(const GrpcAnswer& answer, base::Duration timeout) {
  if (answer.http_status != 200)
    return rpc_error(
        answer.http_status == 404 ? "Unimplemented" : "Unknown",
        base::concat("unexpected HTTP status code received from server: ", answer.http_status));
  const std::int64_t code = base::parse_int(answer.status).value_or(2);
  if (code == kUnimplemented)
    return failure(
        base::concat("error: this server does not implement the grpc health protocol "
                     "(grpc.health.v1.Health): ",
                     answer.message));
  if (code == kDeadlineExceeded)
    return failure(base::concat("timeout: health rpc did not complete within ", seconds(timeout)));
  if (code != 0) {
    bool is_known = code > 0 && code < static_cast<std::int64_t>(std::size(kCodeNames));
    return is_known ? rpc_error(kCodeNames[code], answer.message)
                    : rpc_error(base::concat("Code(", code, ")"), answer.message);
  }
  auto status = serving_status(answer.body);
  if (!status) return rpc_error("Internal", "the answer is no HealthCheckResponse");
  if (*status == kServing) return {true, {}};
  std::string name = *status < std::size(kServingNames) ? std::string(kServingNames[*status])
                                                        : std::to_string(*status);
  return failure(base::concat("service unhealthy (responded with ", base::quote(name), ")"));
}

std::string grpc_connect_failure(std::string_view address, const base::Status& failure,
                                 base::Duration timeout) {
  // gRPC tries again until its time is over, also where nobody listens.
  bool retries =
      failure.code() == base::Code::deadline_exceeded || failure.code() == base::Code::unavailable;
  if (retries)
    return base::concat("timeout: failed to connect service ", base::quote(address), " within ",
                        seconds(timeout), ": context deadline exceeded");
  return base::concat("error: failed to connect service at ", base::quote(address), ": ",
                      failure.message());
}

std::string grpc_call_failure(const base::Status& failure, base::Duration timeout) {
  if (failure.code() == base::Code::deadline_exceeded || failure.code() == base::Code::cancelled)
    return base::concat("timeout: health rpc did not complete within ", seconds(timeout));
  return base::concat("error: health rpc probe failed: rpc error: code = Unavailable desc = ",
                      failure.message());
}

}  // namespace skiff::agent
