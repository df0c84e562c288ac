#include <skiff/client/watch_frames.h>

#include <skiff/base/assert.h>

#include <optional>

namespace skiff::client {

namespace {

enum class Kind : std::uint8_t {
  subscribe = 1,
  unsubscribe = 2,
  started = 16,
  event = 17,
  delta = 18,
  ended = 19,
  position = 20,
};
constexpr std::uint8_t kTakesDeltas = 1;  // flags of subscribe
constexpr std::size_t kTextBytesMax = 0xffff;

class Writer {
 public:
  explicit Writer(Kind kind, std::size_t bytes = 0) {
    out_.reserve(bytes + 32);
    number<std::uint8_t>(kWatchFrameVersion);
    number(static_cast<std::uint8_t>(kind));
  }
  template <class T>
  Writer& number(T value) {
    for (int shift = 8 * (static_cast<int>(sizeof(T)) - 1); shift >= 0; shift -= 8)
      out_.push_back(static_cast<char>(value >> shift));
    return *this;
  }
  Writer& text(std::string_view value) {
    SKIFF_ASSERT(value.size() <= kTextBytesMax);
    number(static_cast<std::uint16_t>(value.size()));
    out_ += value;
    return *this;
  }
  Writer& type(WatchEvent::Type value) { return number(static_cast<std::uint8_t>(value)); }
  Writer& rest(std::string_view value) {
    out_ += value;
    return *this;
  }
  std::string take() { return std::move(out_); }

 private:
  std::string out_;
};

// After a defect everything reads as nothing, and is_good() is false.
class Reader {
 public:
  explicit Reader(std::string_view data) : data_(data) {}
  template <class T>
  T number() {
    auto bytes = take(sizeof(T));
    T value = 0;
    for (char c : bytes) value = static_cast<T>(value << 8 | static_cast<unsigned char>(c));
    return value;
  }
  std::string_view text() { return take(number<std::uint16_t>()); }
  WatchEvent::Type type() {
    auto value = number<std::uint8_t>();
    if (value > static_cast<std::uint8_t>(WatchEvent::Type::removed)) good_ = false;
    return good_ ? static_cast<WatchEvent::Type>(value) : WatchEvent::Type::added;
  }
  std::string_view rest() { return take(data_.size()); }
  bool is_good() const { return good_; }

 private:
  std::string_view take(std::size_t size) {
    if (size > data_.size()) good_ = false;
    if (!good_) return {};
    auto bytes = data_.substr(0, size);
    data_.remove_prefix(size);
    return bytes;
  }
  std::string_view data_;
  bool good_ = true;
};

struct Encoder {
  std::string operator()(const SubscribeFrame& frame) const {
    return Writer(Kind::subscribe)
        .number(static_cast<std::uint8_t>(frame.takes_deltas ? kTakesDeltas : 0))
        .number(frame.revision)
        .text(frame.group)
        .text(frame.version)
        .text(frame.resource)
        .text(frame.namespace_name)
        .text(frame.label_selector)
        .text(frame.field_selector)
        .take();
  }
  std::string operator()(const UnsubscribeFrame&) const { return Writer(Kind::unsubscribe).take(); }
  std::string operator()(const StartedFrame&) const { return Writer(Kind::started).take(); }
  std::string operator()(const EventFrame& frame) const {
    return Writer(Kind::event, frame.object.size())
        .type(frame.type)
        .number(frame.revision)
        .rest(frame.object)
        .take();
  }
  std::string operator()(const DeltaFrame& frame) const {
    return Writer(Kind::delta, frame.key.size() + frame.steps.size())
        .type(frame.type)
        .number(frame.revision)
        .number(frame.size)
        .number(frame.checksum)
        .text(frame.key)
        .rest(frame.steps)
        .take();
  }
  std::string operator()(const EndedFrame& frame) const {
    return Writer(Kind::ended, frame.status.size()).rest(frame.status).take();
  }
  std::string operator()(const PositionFrame& frame) const {
    return Writer(Kind::position).number(frame.revision).take();
  }
  std::string operator()(const UnknownFrame&) const { return {}; }
};

SubscribeFrame read_subscribe(Reader& reader) {
  SubscribeFrame frame;
  frame.takes_deltas = (reader.number<std::uint8_t>() & kTakesDeltas) != 0;
  frame.revision = reader.number<std::uint64_t>();
  frame.group = reader.text();
  frame.version = reader.text();
  frame.resource = reader.text();
  frame.namespace_name = reader.text();
  frame.label_selector = reader.text();
  frame.field_selector = reader.text();
  return frame;
}

EventFrame read_event(Reader& reader) {
  EventFrame frame;
  frame.type = reader.type();
  frame.revision = reader.number<std::uint64_t>();
  frame.object = reader.rest();
  return frame;
}

DeltaFrame read_delta(Reader& reader) {
  DeltaFrame frame;
  frame.type = reader.type();
  frame.revision = reader.number<std::uint64_t>();
  frame.size = reader.number<std::uint32_t>();
  frame.checksum = reader.number<std::uint32_t>();
  frame.key = reader.text();
  frame.steps = reader.rest();
  return frame;
}

WatchFrame read_frame(Kind kind, Reader& reader) {
  switch (kind) {
    case Kind::subscribe: return read_subscribe(reader);
    case Kind::unsubscribe: return UnsubscribeFrame();
    case Kind::started: return StartedFrame();
    case Kind::event: return read_event(reader);
    case Kind::delta: return read_delta(reader);
    case Kind::ended: return EndedFrame{reader.rest()};
    case Kind::position: return PositionFrame{reader.number<std::uint64_t>()};
  }
  return UnknownFrame();
}

}  // namespace

std::string encode_watch_frame(const WatchFrame& frame) { return std::visit(Encoder(), frame); }

base::Result<WatchFrame> decode_watch_frame(std::string_view data) {
  Reader reader(data);
  auto version = reader.number<std::uint8_t>();
  auto kind = static_cast<Kind>(reader.number<std::uint8_t>());
  if (reader.is_good() && version != kWatchFrameVersion)
    return base::Status(base::Code::unimplemented, "a watch frame of another version");
  auto frame = read_frame(kind, reader);
  if (!reader.is_good()) return base::invalid_argument("a watch frame is cut short or malformed");
  return frame;
}

}  // namespace skiff::client
