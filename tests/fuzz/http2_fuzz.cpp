// What a client sends over HTTP/2, behind the preface: frames into a server's engine whose streams
// answer, echo and reset; and the frames of a session.
#include "fuzz/session_transport.h"
#include "http/http2/engine.h"
#include "http/limits.h"

#include <cstddef>
#include <cstdint>
#include <string>

using namespace skiff;

namespace {

constexpr std::string_view kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
constexpr std::size_t kOutputBytesMax = 1u << 20;

class EchoStream final : public http::Http2Stream {
 public:
  explicit EchoStream(http::Http2Engine& engine) : engine_(engine) {}
  bool on_header(std::string_view name, std::string_view value) override {
    fields_ += name.size() + value.size();
    return name != "x-refuse";
  }
  void on_headers_end() override {
    SKIFF_ASSERT(!closed_);
    if (answered_) return;
    answered_ = true;
    engine_.submit_response(*this, {{":status", "200"}, {"x-size", std::to_string(fields_)}}, true);
  }
  void on_data(std::string_view data) override {
    SKIFF_ASSERT(!closed_);
    outbox.push(base::SharedBytes(data));
    engine_.consume(*this, data.size());
    engine_.resume(*this);
    if (data.size() % 7 == 3) engine_.reset(*this, http::Http2Error::cancel);
  }
  void on_end_of_input() override {
    outbox.end();
    engine_.resume(*this);
  }
  void on_sent() override { SKIFF_ASSERT(!closed_); }
  void on_closed(http::Http2Error) override { closed_ = true; }

 private:
  http::Http2Engine& engine_;
  std::size_t fields_ = 0;
  bool answered_ = false, closed_ = false;
};

class EchoOwner final : public http::Http2Owner {
 public:
  EchoOwner() : engine_(http::Http2Engine::Side::server, settings(), *this) {}
  std::shared_ptr<http::Http2Stream> on_stream(std::int32_t) override {
    return std::make_shared<EchoStream>(engine_);
  }
  void on_ping_answer() override {}
  void on_go_away() override {}

  void feed(std::string_view bytes, std::size_t step) {
    while (!bytes.empty()) {
      bool good = engine_.receive(bytes.substr(0, step)).is_ok();
      bytes.remove_prefix(std::min(step, bytes.size()));
      std::size_t sent = 0;
      for (auto out = engine_.take_output(); !out.empty(); out = engine_.take_output()) {
        sent += out.size();
        SKIFF_ASSERT(sent < kOutputBytesMax);
      }
      SKIFF_ASSERT(engine_.stream_count() <= http::kHttp2StreamsMax);
      if (!good) return;
    }
  }

 private:
  static http::Http2Settings settings() {
    http::Http2Settings settings;
    settings.streams_max = http::kHttp2StreamsMax;
    settings.stream_window_bytes = http::kHttp2StreamWindowBytes;
    settings.connection_window_bytes = http::kHttp2ConnectionWindowBytes;
    settings.header_list_bytes_max = 64 << 10;
    settings.takes_extended_connect = true;
    return settings;
  }
  http::Http2Engine engine_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size > 20'000) return 0;
  std::string_view bytes(reinterpret_cast<const char*>(data), size);
  std::string with_preface = std::string(kPreface).append(bytes);
  for (std::size_t step : {std::size_t{5}, with_preface.size()}) {
    EchoOwner owner;
    owner.feed(with_preface, step);
  }
  auto session = http::make_framed_session(std::make_unique<fuzz::SinkTransport>(), "fuzz");
  fuzz::feed(*session, bytes, 3);
  return 0;
}
