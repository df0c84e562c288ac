// Events about objects, merged and limited as client-go's recorder does.
#pragma once

#include <skiff/base/clock.h>
#include <skiff/client/client.h>
#include <skiff/codec/json.h>

#include <memory>
#include <string>
#include <string_view>

namespace skiff::client {

enum class EventType : unsigned char { normal, warning };

// Thread-safe; never waits and never fails: an event that cannot be written is dropped and counted.
class EventRecorder {
 public:
  virtual ~EventRecorder() = default;
  // `object` needs apiVersion, kind, metadata.name/namespace/uid/resourceVersion.
  // `field_path` such as "spec.containers{web}", or empty.
  virtual void event(const codec::Json& object, EventType type, std::string_view reason,
                     std::string_view message, std::string_view field_path = {}) = 0;
};
// Writes through `client` on `executor`. `component` is source.component, `host` source.host.
std::unique_ptr<EventRecorder> make_recorder(Client& client, base::Executor& executor,
                                             base::Timers& timers, std::string component,
                                             std::string host);

}  // namespace skiff::client
