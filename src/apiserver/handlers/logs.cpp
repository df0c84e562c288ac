#include <skiff/base/strings.h>

#include "apiserver/handlers/handlers.h"
#include "apiserver/streams/channel_frames.h"
#include "apiserver/streams/node_request.h"

namespace skiff::apiserver {

using codec::Json;

namespace {

constexpr std::uint32_t kOutput = 1;

api::ApiError invalid_log_option(const RequestContext& context, std::string_view field,
                                 std::string_view value, std::string_view why) {
  api::ApiError error;
  error.code = 422;
  error.reason = api::Reason::invalid;
  error.kind = "PodLogOptions";
  error.name = context.info.name;
  std::string detail = base::concat("Invalid value: ", value, ": ", why);
  error.message = base::concat("PodLogOptions ", base::quote(context.info.name),
                               " is invalid: ", field, ": ", detail);
  error.causes.push_back({"FieldValueInvalid", std::move(detail), std::string(field)});
  return error;
}

api::Outcome<Json> log_options(const RequestContext& context) {
  Json options = Json::object();
  for (std::string_view flag : {"follow", "previous", "timestamps"}) {
    if (query_bool(context.query, flag)) options.set(flag, true);
  }
  struct Number {
    std::string_view name;
    std::int64_t min;
    std::string_view why;
  };
  constexpr Number kNumbers[] = {
      {"tailLines", 0, "must be greater than or equal to 0"},
      {"limitBytes", 1, "must be greater than 0"},
      {"sinceSeconds", 1, "must be greater than 0"},
  };
  for (const auto& number : kNumbers) {
    auto text = context.parameter(number.name);
    if (text.empty()) continue;
    auto value = base::parse_int(text);
    if (!value) {
      return api::bad_request_error(
          base::concat("strconv.ParseInt: parsing ", base::quote(text), ": invalid syntax"));
    }
    if (*value < number.min) return invalid_log_option(context, number.name, text, number.why);
    options.set(number.name, Json(*value));
  }
  if (auto since = context.parameter("sinceTime"); !since.empty()) {
    if (!base::parse_rfc3339(since).is_ok()) {
      return api::bad_request_error(
          base::concat("sinceTime ", base::quote(since), " is no RFC 3339 time"));
    }
    if (options.contains("sinceSeconds")) {
      return api::bad_request_error("at most one of sinceTime or sinceSeconds may be specified");
    }
    options.set("sinceTime", since);
  }
  return options;
}

base::Task<void> send_logs(std::shared_ptr<client::NodeStream> node, http::BodyWriter& writer) {
  base::CancelCallback on_gone(writer.cancel(), [node] { node->close(); });
  for (;;) {
    auto reading = node->read();
    auto frame = co_await std::move(reading);
    if (!frame.is_ok()) writer.abort();
    if (!frame.is_ok() || !*frame) break;
    const client::NodeFrame& got = **frame;
    if (got.channel == kOutput && !got.data.empty()) {
      std::vector<base::SharedBytes> pieces;
      pieces.emplace_back(std::string_view(got.data));
      auto writing = writer.write(std::move(pieces));
      auto status = co_await std::move(writing);
      if (!status.is_ok()) break;
    }
    if (got.channel == kOutput && got.end) break;
  }
  node->close();
}

// The same as messages of a WebSocket.
base::Task<void> send_log_messages(std::shared_ptr<client::NodeStream> node,
                                   http::ChannelSession& session) {
  base::CancelCallback on_gone(session.cancel(), [node] { node->close(); });
  for (;;) {
    auto reading = node->read();
    auto frame = co_await std::move(reading);
    if (!frame.is_ok() || !*frame) break;
    client::NodeFrame& got = **frame;
    if (got.channel != kOutput) continue;
    if (!got.data.empty()) {
      auto sending =
          send_frame(session, http::ChannelFrame::Kind::data, kOutput, std::move(got.data));
      bool alive = co_await std::move(sending);
      if (!alive) break;
    }
    if (got.end) break;
  }
  node->close();
}

http::Response log_messages(std::shared_ptr<client::NodeStream> node) {
  http::Response response;
  response.status = 101;
  response.upgrade = std::make_unique<http::Upgrade>();
  response.upgrade->transport = http::Upgrade::Transport::websocket;
  response.upgrade->protocols = {"binary.k8s.io", "base64.binary.k8s.io"};
  response.upgrade->run = [node](http::ChannelSession& session) {
    return send_log_messages(node, session);
  };
  return response;
}

}  // namespace

base::Task<ResponseOutcome> handle_logs(RequestContext& context) {
  SKIFF_CO_TRY(auto options, log_options(context));
  SKIFF_CO_TRY(auto target, find_pod(context, true));
  if (target.node.empty()) {
    // No node has ever run it: there is nothing, which is no error.
    http::Response nothing;
    nothing.status = 204;
    co_return nothing;
  }
  auto opening = open_node_stream(context, std::move(target), client::NodeRequest::Kind::logs,
                                  std::move(options));
  SKIFF_CO_TRY(auto stream, co_await std::move(opening));
  std::shared_ptr<client::NodeStream> shared(std::move(stream));
  auto upgrade = wanted_upgrade(context.request);
  if (upgrade.is_ok() && upgrade.value() == http::Upgrade::Transport::websocket)
    co_return log_messages(std::move(shared));
  http::Response response;
  response.headers.set("Content-Type", "text/plain");
  response.headers.set("Cache-Control", "no-cache, private");
  response.stream = [shared](http::BodyWriter& writer) { return send_logs(shared, writer); };
  co_return response;
}

}  // namespace skiff::apiserver
