// Frames of the session skiff-watch-v1: every watch of a worker on one stream.
//
// The worker opens it with an extended CONNECT (skiff/http/http2.h); a frame here is the data of a
// ChannelFrame whose channel is the number of the watch, chosen by the worker, never 0:
//   version (1) · kind (1) · fields
// Numbers are big endian; texts are length (2) · bytes. Releases next to each other work together:
// what follows the fields that a reader knows is left alone, frames of unknown kinds are ignored,
// and a frame of another version ends the session, after which the worker watches by ordinary
// requests.
#pragma once

#include <skiff/base/result.h>
#include <skiff/client/client.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

namespace skiff::client {

inline constexpr std::string_view kWatchProtocol = "skiff-watch-v1";
inline constexpr std::string_view kWatchTarget = "/skiff/v1/watch";
inline constexpr std::uint8_t kWatchFrameVersion = 1;

// Views into the text that was decoded.

// Worker to master: kind 1. Events after `revision`, as an ordinary watch request has them.
struct SubscribeFrame {
  std::uint64_t revision = 0;
  bool takes_deltas = false;  // the worker keeps the objects that it gets
  std::string_view group, version, resource, namespace_name, label_selector, field_selector;
};
// Worker to master: kind 2. Events that are on the way may still come.
struct UnsubscribeFrame {};
// Master to worker: kind 16. The watch is taken.
struct StartedFrame {};
// Master to worker: kind 17. An object as it is stored (api::StoredObject::stored()).
struct EventFrame {
  WatchEvent::Type type = WatchEvent::Type::added;
  std::uint64_t revision = 0;
  std::string_view object;
};
// Master to worker: kind 18. The object as steps from the version that was sent last on this watch
// (skiff/client/byte_delta.h).
struct DeltaFrame {
  WatchEvent::Type type = WatchEvent::Type::modified;
  std::uint64_t revision = 0;
  std::uint32_t size = 0, checksum = 0;  // of the object
  std::string_view key;                  // "namespace/name" or "name"
  std::string_view steps;
};
// Master to worker: kind 19. The watch has ended, with a Status object as JSON.
struct EndedFrame {
  std::string_view status;
};
// Master to worker: kind 20. Everything up to the revision has been sent on this watch; on channel
// 0: on every watch that has started.
struct PositionFrame {
  std::uint64_t revision = 0;
};
// Of a release that knows more.
struct UnknownFrame {};

using WatchFrame = std::variant<SubscribeFrame, UnsubscribeFrame, StartedFrame, EventFrame,
                                DeltaFrame, EndedFrame, PositionFrame, UnknownFrame>;

// REQUIRES: texts of at most 64 KB.
std::string encode_watch_frame(const WatchFrame& frame);
// Errors: invalid_argument for a frame that is cut short or has a value out of range,
// unimplemented for another version.
base::Result<WatchFrame> decode_watch_frame(std::string_view data);

}  // namespace skiff::client
