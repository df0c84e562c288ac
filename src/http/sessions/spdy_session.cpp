#include <skiff/base/log.h>
#include <skiff/base/strings.h>

#include "http/limits.h"
#include "http/sessions/channel_session.h"
#include "http/sessions/spdy_codec.h"

#include <algorithm>
#include <map>
#include <set>

namespace skiff::http {

namespace {

struct Stream {
  std::uint32_t channel = 0;
  bool local_closed = false;
  bool remote_closed = false;
  std::int64_t send_window = kSpdyInitialWindowBytes;
};

// Loop-only.
//
// Windows: the SPDY of Kubernetes clients and of the kubelet neither sends WINDOW_UPDATE nor looks
// at it; TCP alone holds back. So windows count only for a peer that has sent one itself.
class SpdySession final : public SessionBase {
 public:
  SpdySession(std::unique_ptr<SessionTransport> transport, std::string protocol,
              StreamTypes stream_types)
      : SessionBase(std::move(transport), std::move(protocol)),
        stream_types_(std::move(stream_types)) {}

  base::Result<std::size_t> on_input(std::string_view input) override {
    std::size_t size = input.size();
    while (!inbox_is_full()) {
      switch (reader_.next(input)) {
        case SpdyReader::Event::need_more: return size - input.size();
        case SpdyReader::Event::data: on_data(reader_.data()); break;
        case SpdyReader::Event::control: {
          auto status = on_control(reader_.control());
          if (!status.is_ok()) return fail(std::move(status));
          break;
        }
        case SpdyReader::Event::error: return fail(base::invalid_argument("malformed SPDY frame"));
      }
    }
    return size - input.size();
  }

  void finish() override {
    for (auto& [id, stream] : streams_)
      if (!stream.local_closed) transport().send(spdy_data_header(id, true, 0));
    streams_.clear();
    send_goaway(0);
  }

 private:
  base::Status fail(base::Status why) {
    send_goaway(kSpdyProtocolError);
    end_input();
    return why;
  }

  void send_goaway(std::uint32_t status) {
    if (said_goaway_) return;
    said_goaway_ = true;
    std::string payload;
    append_spdy_number(payload, last_stream_);
    append_spdy_number(payload, status);
    transport().send(spdy_control_frame(SpdyType::goaway, 0, payload));
  }

  // Answers that a peer may ask for without end are dropped while it does not read.
  void send_reply(std::string_view frame) {
    if (transport().queued_bytes() < 2 * kOutputQueueBytesMax) transport().send(frame);
  }

  void on_data(const SpdyDataPiece& piece) {
    auto it = streams_.find(piece.stream);
    if (it == streams_.end()) return;  // reset a moment ago, as a rule
    Stream& stream = it->second;
    if (stream.remote_closed) {
      reset(it->first, kSpdyStreamAlreadyClosed);
      return;
    }
    if (!piece.bytes.empty()) {
      ChannelFrame frame;
      frame.channel = stream.channel;
      frame.data = piece.bytes;
      deliver(std::move(frame));
    }
    if (piece.is_last) close_remote(piece.stream);
  }

  void close_remote(std::uint32_t id) {
    auto it = streams_.find(id);
    if (it == streams_.end()) return;
    it->second.remote_closed = true;
    ChannelFrame frame;
    frame.kind = ChannelFrame::Kind::close_channel;
    frame.channel = it->second.channel;
    if (it->second.local_closed) streams_.erase(it);
    deliver(std::move(frame));
  }

  void reset(std::uint32_t id, std::uint32_t status) {
    send_reply(spdy_rst_stream(id, status));
    drop(id);
  }

  void drop(std::uint32_t id) {
    auto it = streams_.find(id);
    if (it == streams_.end()) return;
    ChannelFrame frame;
    frame.kind = ChannelFrame::Kind::reset_channel;
    frame.channel = it->second.channel;
    streams_.erase(it);
    deliver(std::move(frame));
  }

  base::Status on_control(SpdyControlFrame& frame) {
    std::string_view payload = frame.payload;
    switch (frame.type) {
      case SpdyType::syn_stream: return on_syn_stream(frame);
      case SpdyType::syn_reply:
      case SpdyType::headers:
        // Nothing reads them, but they move the decompressor.
        if (payload.size() < 4) return base::invalid_argument("short SPDY frame");
        return base::status_of(header_reader_.read(payload.substr(4)));
      case SpdyType::rst_stream:
        if (payload.size() != 8) return base::invalid_argument("short SPDY frame");
        drop(spdy_number(payload) & 0x7fffffff);
        return base::Status::ok();
      case SpdyType::ping:
        if (payload.size() != 4) return base::invalid_argument("short SPDY frame");
        if ((spdy_number(payload) & 1) != 0)
          send_reply(spdy_control_frame(SpdyType::ping, 0, payload));
        return base::Status::ok();
      case SpdyType::goaway: end_input(); return base::Status::ok();
      case SpdyType::window_update: return on_window_update(payload);
      default: return base::Status::ok();
    }
  }

  base::Status on_window_update(std::string_view payload) {
    if (payload.size() != 8) return base::invalid_argument("short SPDY frame");
    std::uint32_t id = spdy_number(payload) & 0x7fffffff;
    std::uint32_t delta = spdy_number(payload.substr(4)) & 0x7fffffff;
    uses_windows_ = true;
    std::int64_t* window = nullptr;
    if (id == 0)
      window = &session_window_;
    else if (auto it = streams_.find(id); it != streams_.end())
      window = &it->second.send_window;
    if (window != nullptr) {
      *window += delta;
      if (*window > INT32_MAX) return base::invalid_argument("SPDY window overflow");
      wake_all();
    }
    return base::Status::ok();
  }

  base::Status on_syn_stream(const SpdyControlFrame& frame) {
    std::string_view payload = frame.payload;
    if (payload.size() < 10) return base::invalid_argument("short SPDY frame");
    std::uint32_t id = spdy_number(payload) & 0x7fffffff;
    SKIFF_ASSIGN_OR_RETURN(Headers headers, header_reader_.read(payload.substr(10)));
    // Clients open streams from several threads: ids may arrive out of order.
    if (id % 2 == 0 || streams_.count(id) != 0)
      return base::invalid_argument("SPDY stream id of a stream that exists");
    last_stream_ = std::max(last_stream_, id);
    Stream stream;
    if (!assign_channel(id, headers, stream) || streams_.size() >= kSpdyStreamsMax ||
        said_goaway_) {
      send_reply(spdy_rst_stream(id, kSpdyRefusedStream));
      return base::Status::ok();
    }
    streams_.emplace(id, stream);
    if (!stream_types_.empty()) opened_.insert(stream.channel);
    std::string reply;
    append_spdy_number(reply, id);
    reply += header_writer_.write(Headers());
    transport().send(spdy_control_frame(SpdyType::syn_reply, 0, reply));
    if (stream_types_.empty()) {
      ChannelFrame opened;
      opened.kind = ChannelFrame::Kind::open_channel;
      opened.channel = id;
      opened.headers = std::move(headers);
      deliver(std::move(opened));
    }
    if ((frame.flags & kSpdyFin) != 0) close_remote(id);
    wake_all();
    return base::Status::ok();
  }

  // False when the stream is not one that this session knows, or is there already.
  bool assign_channel(std::uint32_t id, const Headers& headers, Stream& stream) const {
    if (stream_types_.empty()) {
      stream.channel = id;
      return true;
    }
    std::string_view type = headers.get("streamType");
    auto it = std::find_if(stream_types_.begin(), stream_types_.end(),
                           [&](const auto& known) { return known.first == type; });
    if (it == stream_types_.end()) return false;
    stream.channel = it->second;
    return opened_.count(stream.channel) == 0;
  }

  bool is_known_channel(std::uint32_t channel) const {
    return std::any_of(stream_types_.begin(), stream_types_.end(),
                       [&](const auto& known) { return known.second == channel; });
  }

  base::Status send_frame(const ChannelFrame& frame) override {
    if (said_goaway_) return base::cancelled("the session has ended");
    if (!stream_types_.empty()) {
      // A client opens its streams one after the other: none is used, and the session not ended,
      // before it has them all, or it would wait for the rest for ever.
      if (!is_known_channel(frame.channel)) return base::Status::ok();
      if (opened_.size() < stream_types_.size())
        return base::not_found("not every stream of the session is open");
    }
    auto it = std::find_if(streams_.begin(), streams_.end(), [&](const auto& entry) {
      return entry.second.channel == frame.channel;
    });
    if (it == streams_.end())
      return base::cancelled(base::concat("channel ", frame.channel, " is not open"));
    Stream& stream = it->second;
    switch (frame.kind) {
      case ChannelFrame::Kind::data: return send_data(it->first, stream, frame.data);
      case ChannelFrame::Kind::close_channel:
        if (stream.local_closed) return base::Status::ok();
        transport().send(spdy_data_header(it->first, true, 0));
        stream.local_closed = true;
        if (stream.remote_closed) streams_.erase(it);
        return base::Status::ok();
      case ChannelFrame::Kind::reset_channel:
        transport().send(spdy_rst_stream(it->first, kSpdyCancel));
        streams_.erase(it);
        return base::Status::ok();
      case ChannelFrame::Kind::open_channel: break;
    }
    return base::invalid_argument("only the client opens channels");
  }

  base::Status send_data(std::uint32_t id, Stream& stream, std::string_view data) {
    if (stream.local_closed) return base::invalid_argument("the channel is closed");
    if (data.size() >= (1u << 24)) return base::Status(base::Code::too_large, "SPDY data frame");
    if (uses_windows_ && std::min(stream.send_window, session_window_) <= 0)
      return base::unavailable("the peer's window is full");
    // A window may go below zero by one frame: 32 KiB at most in our own use.
    stream.send_window -= static_cast<std::int64_t>(data.size());
    session_window_ -= static_cast<std::int64_t>(data.size());
    std::string bytes = spdy_data_header(id, false, data.size());
    bytes += data;
    transport().send(bytes);
    return base::Status::ok();
  }

  void on_taken(const ChannelFrame& frame) override {
    if (!uses_windows_ || frame.data.empty()) return;
    auto bytes = static_cast<std::uint32_t>(frame.data.size());
    transport().send(spdy_window_update(0, bytes));
    for (const auto& [id, stream] : streams_)
      if (stream.channel == frame.channel) transport().send(spdy_window_update(id, bytes));
  }

  const StreamTypes stream_types_;
  SpdyReader reader_;
  SpdyHeaderReader header_reader_;
  SpdyHeaderWriter header_writer_;
  std::map<std::uint32_t, Stream> streams_;
  std::set<std::uint32_t> opened_;  // channels of known types that have had their stream
  std::int64_t session_window_ = kSpdyInitialWindowBytes;
  std::uint32_t last_stream_ = 0;
  bool uses_windows_ = false;
  bool said_goaway_ = false;
};

}  // namespace

std::unique_ptr<UpgradedSession> make_spdy_session(std::unique_ptr<SessionTransport> transport,
                                                   std::string protocol, StreamTypes stream_types) {
  return std::make_unique<SpdySession>(std::move(transport), std::move(protocol),
                                       std::move(stream_types));
}

}  // namespace skiff::http
