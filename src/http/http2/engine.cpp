#include "http/http2/engine.h"

#include <skiff/base/assert.h>
#include <skiff/base/strings.h>

#include "http/limits.h"

#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <cstring>

namespace skiff::http {

void Http2Outbox::push(base::SharedBytes bytes) {
  if (bytes.empty() || ended_) return;
  bytes_ += bytes.size();
  queue_.push_back(std::move(bytes));
}

std::size_t Http2Outbox::take(std::uint8_t* out, std::size_t size) {
  std::size_t taken = 0;
  while (taken < size && !queue_.empty()) {
    std::string_view first = queue_.front().view().substr(offset_);
    std::size_t part = std::min(first.size(), size - taken);
    std::memcpy(out + taken, first.data(), part);
    taken += part;
    offset_ += part;
    if (part == first.size()) {
      queue_.pop_front();
      offset_ = 0;
    }
  }
  bytes_ -= taken;
  return taken;
}

void Http2Outbox::clear() {
  queue_.clear();
  offset_ = bytes_ = 0;
  ended_ = true;
}

namespace {

std::string_view text_of(const std::uint8_t* bytes, std::size_t size) {
  return {reinterpret_cast<const char*>(bytes), size};
}

std::vector<nghttp2_nv> to_nv(const HeaderFields& fields) {
  std::vector<nghttp2_nv> out;
  out.reserve(fields.size());
  for (const auto& [name, value] : fields) {
    auto* name_bytes = reinterpret_cast<std::uint8_t*>(const_cast<char*>(name.data()));
    auto* value_bytes = reinterpret_cast<std::uint8_t*>(const_cast<char*>(value.data()));
    out.push_back({name_bytes, value_bytes, name.size(), value.size(), NGHTTP2_NV_FLAG_NONE});
  }
  return out;
}

}  // namespace

// nghttp2 calls these with the engine as `user`.
struct Http2Engine::Callbacks {
  static Http2Engine& engine(void* user) { return *static_cast<Http2Engine*>(user); }
  static std::shared_ptr<Http2Stream> find(void* user, std::int32_t id) {
    auto& streams = engine(user).streams_;
    auto it = streams.find(id);
    return it == streams.end() ? nullptr : it->second;
  }

  static int on_begin_headers(nghttp2_session*, const nghttp2_frame* frame, void* user) {
    auto& self = engine(user);
    std::int32_t id = frame->hd.stream_id;
    if (self.side_ == Side::server && frame->headers.cat == NGHTTP2_HCAT_REQUEST) {
      auto stream = self.owner_.on_stream(id);
      if (!stream) {
        nghttp2_submit_rst_stream(self.session_, NGHTTP2_FLAG_NONE, id,
                                  static_cast<std::uint32_t>(Http2Error::refused_stream));
        return 0;
      }
      stream->id = id;
      self.streams_.emplace(id, std::move(stream));
    }
    self.header_bytes_[id] = 0;
    return 0;
  }

  static int on_header(nghttp2_session*, const nghttp2_frame* frame, const std::uint8_t* name,
                       std::size_t name_size, const std::uint8_t* value, std::size_t value_size,
                       std::uint8_t, void* user) {
    auto& self = engine(user);
    auto stream = find(user, frame->hd.stream_id);
    if (!stream) return 0;
    constexpr std::size_t kFieldOverheadBytes = 32;  // RFC 9113, 6.5.2
    auto& bytes = self.header_bytes_[stream->id];
    bytes += name_size + value_size + kFieldOverheadBytes;
    if (bytes > self.settings_.header_list_bytes_max ||
        !stream->on_header(text_of(name, name_size), text_of(value, value_size)))
      return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;  // the stream is reset
    return 0;
  }

  static int on_frame(nghttp2_session*, const nghttp2_frame* frame, void* user) {
    auto& self = engine(user);
    switch (frame->hd.type) {
      case NGHTTP2_PING:
        if ((frame->hd.flags & NGHTTP2_FLAG_ACK) != 0) self.owner_.on_ping_answer();
        return 0;
      case NGHTTP2_GOAWAY: self.owner_.on_go_away(); return 0;
      case NGHTTP2_SETTINGS:
        if ((frame->hd.flags & NGHTTP2_FLAG_ACK) == 0) self.has_peer_settings_ = true;
        return 0;
      case NGHTTP2_HEADERS:
      case NGHTTP2_DATA: break;
      default: return 0;
    }
    auto stream = find(user, frame->hd.stream_id);
    if (!stream) return 0;
    if (frame->hd.type == NGHTTP2_HEADERS) {
      self.header_bytes_.erase(stream->id);
      stream->on_headers_end();
    }
    if ((frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0) stream->on_end_of_input();
    return 0;
  }

  static int on_data(nghttp2_session*, std::uint8_t, std::int32_t id, const std::uint8_t* data,
                     std::size_t size, void* user) {
    auto& self = engine(user);
    // The connection's window is for all streams: what one does not read holds up only itself.
    nghttp2_session_consume_connection(self.session_, size);
    if (auto stream = find(user, id)) stream->on_data(text_of(data, size));
    return 0;
  }

  static int on_close(nghttp2_session*, std::int32_t id, std::uint32_t error, void* user) {
    auto& self = engine(user);
    self.header_bytes_.erase(id);
    auto stream = find(user, id);
    if (!stream) return 0;
    self.streams_.erase(id);
    stream->on_closed(static_cast<Http2Error>(error));
    return 0;
  }

  static ssize_t read_outbox(nghttp2_session*, std::int32_t id, std::uint8_t* out, std::size_t size,
                             std::uint32_t* flags, nghttp2_data_source*, void* user) {
    auto stream = find(user, id);
    if (!stream) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    std::size_t taken = stream->outbox.take(out, size);
    bool over = stream->outbox.is_ended() && stream->outbox.bytes() == 0;
    if (over) *flags |= NGHTTP2_DATA_FLAG_EOF;
    if (taken > 0 || over) stream->on_sent();
    if (taken == 0 && !over) return NGHTTP2_ERR_DEFERRED;
    return static_cast<ssize_t>(taken);
  }
};

Http2Engine::Http2Engine(Side side, const Http2Settings& settings, Http2Owner& owner)
    : owner_(owner), side_(side), settings_(settings) {
  nghttp2_session_callbacks* callbacks = nullptr;
  SKIFF_ASSERT(nghttp2_session_callbacks_new(&callbacks) == 0);
  nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, &Callbacks::on_begin_headers);
  nghttp2_session_callbacks_set_on_header_callback(callbacks, &Callbacks::on_header);
  nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, &Callbacks::on_frame);
  nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, &Callbacks::on_data);
  nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, &Callbacks::on_close);
  nghttp2_option* option = nullptr;
  SKIFF_ASSERT(nghttp2_option_new(&option) == 0);
  nghttp2_option_set_no_auto_window_update(option, 1);
  nghttp2_option_set_no_closed_streams(option, 1);
  nghttp2_option_set_max_deflate_dynamic_table_size(option, kHttp2HeaderTableBytes);
  nghttp2_option_set_max_outbound_ack(option, kHttp2AnswersQueuedMax);
  // CVE-2023-44487: a client that opens and resets streams faster than this is sent away.
  nghttp2_option_set_stream_reset_rate_limit(option, kHttp2ResetsBurst, kHttp2ResetsPerSecond);
  auto make = side == Side::server ? nghttp2_session_server_new3 : nghttp2_session_client_new3;
  FrameMemory::Use use(memory_);
  int made = make(&session_, callbacks, this, option, memory_.allocator());
  nghttp2_option_del(option);
  nghttp2_session_callbacks_del(callbacks);
  SKIFF_ASSERT(made == 0);
  // A new client has it in the buffer that others use, too.
  if (side == Side::client) preface_ = make_output();
  std::vector<nghttp2_settings_entry> entries{
      {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, settings.stream_window_bytes},
      {NGHTTP2_SETTINGS_HEADER_TABLE_SIZE, kHttp2HeaderTableBytes},
      {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, settings.header_list_bytes_max}};
  if (side == Side::server)
    entries.push_back({NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, settings.streams_max});
  else
    entries.push_back({NGHTTP2_SETTINGS_ENABLE_PUSH, 0});
  if (settings.takes_extended_connect)
    entries.push_back({NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL, 1});
  SKIFF_ASSERT(
      nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, entries.data(), entries.size()) == 0);
  nghttp2_session_set_local_window_size(
      session_, NGHTTP2_FLAG_NONE, 0, static_cast<std::int32_t>(settings.connection_window_bytes));
}

Http2Engine::~Http2Engine() { nghttp2_session_del(session_); }

base::Status Http2Engine::receive(std::string_view bytes) {
  ssize_t used = nghttp2_session_mem_recv(
      session_, reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
  if (used >= 0) return base::Status::ok();
  return base::unavailable(base::concat("HTTP/2: ", nghttp2_strerror(static_cast<int>(used))));
}

base::SharedBytes Http2Engine::take_output() {
  if (!preface_.empty()) return std::exchange(preface_, {});
  FrameMemory::Use use(memory_);
  return make_output();
}

base::SharedBytes Http2Engine::make_output() {
  const std::uint8_t* bytes = nullptr;
  ssize_t size = nghttp2_session_mem_send(session_, &bytes);
  return size > 0 ? base::SharedBytes(text_of(bytes, static_cast<std::size_t>(size)))
                  : base::SharedBytes();
}

base::Status Http2Engine::submit_request(std::shared_ptr<Http2Stream> stream,
                                         const HeaderFields& fields, bool has_body) {
  auto nv = to_nv(fields);
  nghttp2_data_provider provider{{.fd = 0}, &Callbacks::read_outbox};
  std::int32_t id = nghttp2_submit_request(session_, nullptr, nv.data(), nv.size(),
                                           has_body ? &provider : nullptr, nullptr);
  if (id < 0)
    return base::unavailable(base::concat("HTTP/2: ", nghttp2_strerror(static_cast<int>(id))));
  stream->id = id;
  streams_.emplace(id, std::move(stream));
  return base::Status::ok();
}

void Http2Engine::submit_response(Http2Stream& stream, const HeaderFields& fields, bool has_body) {
  auto nv = to_nv(fields);
  nghttp2_data_provider provider{{.fd = 0}, &Callbacks::read_outbox};
  if (nghttp2_submit_response(session_, stream.id, nv.data(), nv.size(),
                              has_body ? &provider : nullptr) != 0)
    reset(stream, Http2Error::internal);
}

void Http2Engine::resume(const Http2Stream& stream) {
  nghttp2_session_resume_data(session_, stream.id);
}

void Http2Engine::consume(const Http2Stream& stream, std::size_t bytes) {
  if (bytes > 0) nghttp2_session_consume_stream(session_, stream.id, bytes);
}

void Http2Engine::reset(const Http2Stream& stream, Http2Error error) {
  nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, stream.id,
                            static_cast<std::uint32_t>(error));
}

void Http2Engine::ping() { nghttp2_submit_ping(session_, NGHTTP2_FLAG_NONE, nullptr); }

void Http2Engine::go_away() {
  nghttp2_submit_goaway(session_, NGHTTP2_FLAG_NONE,
                        nghttp2_session_get_last_proc_stream_id(session_), NGHTTP2_NO_ERROR,
                        nullptr, 0);
}

bool Http2Engine::peer_takes_extended_connect() const {
  return nghttp2_session_get_remote_settings(session_, NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL) ==
         1;
}

bool Http2Engine::is_over() const {
  return nghttp2_session_want_read(session_) == 0 && nghttp2_session_want_write(session_) == 0;
}

}  // namespace skiff::http
