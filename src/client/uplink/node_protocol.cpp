#include <skiff/base/strings.h>
#include <skiff/client/node_protocol.h>

#include "client/limits.h"

#include <algorithm>
#include <utility>

namespace skiff::client {

using codec::Json;
using FrameKind = http::ChannelFrame::Kind;

namespace {

// Channels of skiff-node-v1. On the wire: numbers are never given to something else.
enum class Control : std::uint32_t {
  hello = 1,
  heartbeat = 2,
  heartbeat_answer = 3,
  open = 4,
  cancel = 5,
  goodbye = 6,
  authorities_changed = 7,
};

constexpr std::pair<NodeRequest::Kind, std::string_view> kKinds[] = {
    {NodeRequest::Kind::logs, "logs"},     {NodeRequest::Kind::exec, "exec"},
    {NodeRequest::Kind::attach, "attach"}, {NodeRequest::Kind::port_forward, "portforward"},
    {NodeRequest::Kind::node, "node"},     {NodeRequest::Kind::proxy, "proxy"},
};

// Codes that one side may tell the other; the rest are `internal`.
constexpr base::Code kCodes[] = {
    base::Code::ok,
    base::Code::invalid_argument,
    base::Code::not_found,
    base::Code::conflict,
    base::Code::permission_denied,
    base::Code::too_large,
    base::Code::too_many_requests,
    base::Code::unavailable,
    base::Code::deadline_exceeded,
    base::Code::cancelled,
    base::Code::unimplemented,
};

base::Code code_of(std::string_view name) {
  for (auto code : kCodes)
    if (base::code_name(code) == name) return code;
  return base::Code::internal;
}

Json status_tree(const base::Status& status) {
  Json tree = Json::object({{"code", base::code_name(status.code())}});
  if (!status.is_ok()) tree.set("message", status.message().substr(0, kNodeSentenceBytesMax));
  return tree;
}

// A Result cannot hold a Status.
struct Told {
  base::Status status;
};

base::Result<Told> status_from(const Json& tree) {
  if (!tree.is_object() || !tree["code"].is_string())
    return base::invalid_argument("a status without its code");
  auto code = code_of(tree["code"].as_string());
  if (code == base::Code::ok) return Told{};
  auto sentence = tree["message"].as_string().substr(0, kNodeSentenceBytesMax);
  return Told{base::Status(code, std::string(sentence))};
}

http::ChannelFrame frame_of(FrameKind kind, std::uint32_t channel, std::string data) {
  http::ChannelFrame frame;
  frame.kind = kind;
  frame.channel = channel;
  frame.data = std::move(data);
  return frame;
}
http::ChannelFrame control_frame(Control kind, std::string data) {
  return frame_of(FrameKind::data, static_cast<std::uint32_t>(kind), std::move(data));
}

constexpr std::size_t kSequenceBytes = 8;

std::string sequence_text(std::uint64_t sequence) {
  std::string out;
  for (int shift = 56; shift >= 0; shift -= 8) out.push_back(static_cast<char>(sequence >> shift));
  return out;
}

base::Result<std::uint64_t> sequence_of(std::string_view data) {
  if (data.size() < kSequenceBytes) return base::invalid_argument("a heartbeat without its number");
  std::uint64_t sequence = 0;
  for (char byte : data.substr(0, kSequenceBytes))
    sequence = sequence << 8 | static_cast<unsigned char>(byte);
  return sequence;
}

base::Result<Json> parse_small(std::string_view data, std::size_t bytes_max) {
  codec::JsonParseOptions options;
  options.limits.bytes_max = bytes_max;
  options.limits.depth_max = kNodeMessageDepthMax;
  options.limits.values_max = kNodeMessageValuesMax;
  return codec::parse_json(data, options);
}

base::Result<std::string> write_hello(const Hello& hello) {
  Json features = Json::array();
  for (const auto& feature : hello.features) features.push_back(feature);
  std::string text = codec::write_json(
      Json::object({{"version", hello.version}, {"features", std::move(features)}}));
  if (text.size() > kNodeHelloBytesMax)
    return base::Status(base::Code::too_large, "the hello is too large");
  return text;
}

base::Result<ControlMessage> parse_hello(std::string_view data) {
  SKIFF_ASSIGN_OR_RETURN(const auto tree, parse_small(data, kNodeHelloBytesMax));
  if (!tree.is_object()) return base::invalid_argument("a hello that is no object");
  Hello hello;
  hello.version = tree["version"].as_string();
  for (const auto& feature : tree["features"].items())
    if (feature.is_string()) hello.features.emplace_back(feature.as_string());
  return ControlMessage(std::move(hello));
}

base::Result<std::string> write_open(const OpenStream& open) {
  const auto& request = open.request;
  const auto* kind = std::find_if(std::begin(kKinds), std::end(kKinds),
                                  [&](const auto& one) { return one.first == request.kind; });
  SKIFF_ASSERT(kind != std::end(kKinds));
  std::string text = codec::write_json(Json::object({{"id", open.id},
                                                     {"kind", kind->second},
                                                     {"namespace", request.namespace_name},
                                                     {"pod", request.pod},
                                                     {"podUID", request.pod_uid},
                                                     {"container", request.container},
                                                     {"options", request.options}}));
  if (text.size() > kNodeRequestBytesMax)
    return base::Status(base::Code::too_large, "the request to the node is too large");
  return text;
}

base::Result<ControlMessage> parse_open(std::string_view data) {
  SKIFF_ASSIGN_OR_RETURN(const auto tree, parse_small(data, kNodeRequestBytesMax));
  OpenStream open;
  open.id = tree["id"].as_string();
  if (!is_stream_id(open.id)) return base::invalid_argument("a stream without an id");
  const auto* kind = std::find_if(std::begin(kKinds), std::end(kKinds), [&](const auto& one) {
    return one.second == tree["kind"].as_string();
  });
  open.is_known = kind != std::end(kKinds);
  if (open.is_known) open.request.kind = kind->first;
  open.request.namespace_name = tree["namespace"].as_string();
  open.request.pod = tree["pod"].as_string();
  open.request.pod_uid = tree["podUID"].as_string();
  open.request.container = tree["container"].as_string();
  open.request.options = tree["options"];
  return ControlMessage(std::move(open));
}

base::Result<Told> parse_status(std::string_view data) {
  SKIFF_ASSIGN_OR_RETURN(const auto tree, parse_small(data, kNodeStatusBytesMax));
  return status_from(tree);
}

struct ControlWriter {
  base::Result<http::ChannelFrame> operator()(const UnknownMessage&) const {
    return base::invalid_argument("not a message");
  }
  base::Result<http::ChannelFrame> operator()(const Hello& hello) const {
    SKIFF_ASSIGN_OR_RETURN(auto text, write_hello(hello));
    return control_frame(Control::hello, std::move(text));
  }
  base::Result<http::ChannelFrame> operator()(const Heartbeat& beat) const {
    return control_frame(Control::heartbeat, sequence_text(beat.sequence));
  }
  base::Result<http::ChannelFrame> operator()(const HeartbeatAnswer& beat) const {
    return control_frame(Control::heartbeat_answer, sequence_text(beat.sequence));
  }
  base::Result<http::ChannelFrame> operator()(const OpenStream& open) const {
    SKIFF_ASSIGN_OR_RETURN(auto text, write_open(open));
    return control_frame(Control::open, std::move(text));
  }
  base::Result<http::ChannelFrame> operator()(const CancelStream& cancel) const {
    return control_frame(Control::cancel, cancel.id);
  }
  base::Result<http::ChannelFrame> operator()(const Goodbye& goodbye) const {
    return control_frame(Control::goodbye, codec::write_json(status_tree(goodbye.why)));
  }
  base::Result<http::ChannelFrame> operator()(const AuthoritiesChanged&) const {
    return control_frame(Control::authorities_changed, {});
  }
};

}  // namespace

bool Hello::has(std::string_view feature) const {
  return std::find(features.begin(), features.end(), feature) != features.end();
}

bool is_stream_id(std::string_view id) {
  auto is_digit = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); };
  return !id.empty() && id.size() <= kStreamIdBytesMax &&
         std::all_of(id.begin(), id.end(), is_digit);
}

base::Result<http::ChannelFrame> encode_control(const ControlMessage& message) {
  return std::visit(ControlWriter(), message);
}

base::Result<ControlMessage> parse_control(const http::ChannelFrame& frame) {
  if (frame.kind != FrameKind::data) return ControlMessage(UnknownMessage());
  switch (static_cast<Control>(frame.channel)) {
    case Control::hello: return parse_hello(frame.data);
    case Control::heartbeat: {
      SKIFF_ASSIGN_OR_RETURN(auto sequence, sequence_of(frame.data));
      return ControlMessage(Heartbeat{sequence});
    }
    case Control::heartbeat_answer: {
      SKIFF_ASSIGN_OR_RETURN(auto sequence, sequence_of(frame.data));
      return ControlMessage(HeartbeatAnswer{sequence});
    }
    case Control::open: return parse_open(frame.data);
    case Control::cancel:
      if (!is_stream_id(frame.data)) return base::invalid_argument("a stream without an id");
      return ControlMessage(CancelStream{frame.data});
    case Control::goodbye: {
      SKIFF_ASSIGN_OR_RETURN(auto why, parse_status(frame.data));
      return ControlMessage(Goodbye{std::move(why.status)});
    }
    case Control::authorities_changed: return ControlMessage(AuthoritiesChanged());
  }
  return ControlMessage(UnknownMessage());
}

http::ChannelFrame encode_head(const base::Status& status) {
  return frame_of(FrameKind::open_channel, 0, codec::write_json(status_tree(status)));
}

http::ChannelFrame encode_tail(const base::Status& status) {
  return frame_of(FrameKind::reset_channel, 0, codec::write_json(status_tree(status)));
}

std::vector<http::ChannelFrame> encode_frames(NodeFrame frame) {
  const auto last_kind = frame.end ? FrameKind::close_channel : FrameKind::data;
  std::vector<http::ChannelFrame> frames;
  std::string_view rest = frame.data;
  for (; rest.size() > kNodeFrameBytesMax; rest.remove_prefix(kNodeFrameBytesMax)) {
    frames.push_back(
        frame_of(FrameKind::data, frame.channel, std::string(rest.substr(0, kNodeFrameBytesMax))));
  }
  const bool is_whole = frames.empty();
  frames.push_back(
      frame_of(last_kind, frame.channel, is_whole ? std::move(frame.data) : std::string(rest)));
  return frames;
}

base::Result<StreamMessage> parse_stream(http::ChannelFrame frame) {
  switch (frame.kind) {
    case FrameKind::open_channel: {
      SKIFF_ASSIGN_OR_RETURN(auto told, parse_status(frame.data));
      return StreamMessage(StreamHead{std::move(told.status)});
    }
    case FrameKind::reset_channel: {
      SKIFF_ASSIGN_OR_RETURN(auto told, parse_status(frame.data));
      return StreamMessage(StreamTail{std::move(told.status)});
    }
    default: break;
  }
  NodeFrame out;
  out.channel = frame.channel;
  out.data = std::move(frame.data);
  out.end = frame.kind == FrameKind::close_channel;
  return StreamMessage(std::move(out));
}

}  // namespace skiff::client
