#include <skiff/client/recorder.h>

#include <skiff/base/log.h>
#include <skiff/base/strings.h>

#include "client/event_correlator.h"
#include "client/limits.h"

#include <deque>
#include <mutex>

namespace skiff::client {

namespace {

using codec::Json;

// Shared by the recorder and its writing task, which ends when the queue is empty, so that an idle
// recorder holds no coroutine.
struct RecorderState {
  RecorderState(Client& c, base::Executor& e, base::Timers& t)
      : client(c), executor(e), timers(t) {}

  Client& client;
  base::Executor& executor;
  base::Timers& timers;
  base::CancelSource stop;
  std::mutex mutex;
  EventCorrelator correlator;    // under mutex
  std::deque<EventWrite> queue;  // under mutex
  bool writing = false;          // under mutex
  std::uint64_t dropped = 0;     // under mutex

  std::optional<EventWrite> next() {
    std::lock_guard lock(mutex);
    if (queue.empty() || stop.is_cancelled()) {
      writing = false;
      return std::nullopt;
    }
    EventWrite write = std::move(queue.front());
    queue.pop_front();
    return write;
  }
  void count_dropped() {
    std::lock_guard lock(mutex);
    ++dropped;
  }
};
using StatePtr = std::shared_ptr<RecorderState>;

bool is_worth_a_retry(base::Code code) {
  return code == base::Code::unavailable || code == base::Code::deadline_exceeded ||
         code == base::Code::too_many_requests;
}

Json patch_of(const Json& event) {
  return Json::object({{"count", event["count"]},
                       {"lastTimestamp", event["lastTimestamp"]},
                       {"message", event["message"]}});
}

base::Task<base::Status> write_once(StatePtr state, const EventWrite& write) {
  std::string namespace_name(write.event.at({"metadata", "namespace"}).as_string());
  if (write.patch) {
    std::string name(write.event.at({"metadata", "name"}).as_string());
    Json patch = patch_of(write.event);
    auto patching = state->client.patch(resources::events, namespace_name, name, PatchType::merge,
                                        std::move(patch));
    auto patched = co_await std::move(patching);
    // Its time to live may have ended: write it anew.
    if (patched.code() != base::Code::not_found) co_return patched.status();
  }
  Json event = write.event;
  auto creating = state->client.create(resources::events, namespace_name, std::move(event));
  auto created = co_await std::move(creating);
  co_return created.status();
}

base::Task<void> write_events(StatePtr state) {
  while (auto write = state->next()) {
    base::Status status;
    for (int tries = 0; tries < kEventWriteTriesMax; ++tries) {
      status = co_await write_once(state, *write);
      if (!is_worth_a_retry(status.code())) break;
      bool slept = co_await base::sleep(state->timers, kEventRetryDelay, state->stop.token());
      if (!slept) break;
    }
    if (status.is_ok()) continue;
    state->count_dropped();
    base::log_debug("event dropped",
                    {{"reason", write->event["reason"].as_string()}, {"error", status}});
  }
}

class RecorderImpl final : public EventRecorder {
 public:
  RecorderImpl(StatePtr state, std::string component, std::string host)
      : state_(std::move(state)), component_(std::move(component)), host_(std::move(host)) {}
  ~RecorderImpl() override { state_->stop.cancel(); }

  void event(const Json& object, EventType type, std::string_view reason, std::string_view message,
             std::string_view field_path) override {
    base::WallTime now = state_->timers.clock().now();
    Json event = make_event(object, type, reason, message, field_path, now);
    {
      std::lock_guard lock(state_->mutex);
      auto write =
          state_->correlator.correlate(std::move(event), now, state_->timers.clock().monotonic());
      if (!write) return;
      if (state_->queue.size() >= kEventQueueMax) {
        ++state_->dropped;
        return;
      }
      state_->queue.push_back(std::move(*write));
      if (std::exchange(state_->writing, true)) return;
    }
    base::spawn_detached(state_->executor, write_events(state_));
  }

 private:
  Json make_event(const Json& object, EventType type, std::string_view reason,
                  std::string_view message, std::string_view field_path, base::WallTime now) const {
    const Json& metadata = object["metadata"];
    Json involved = Json::object({{"kind", object["kind"]}});
    if (!metadata["namespace"].empty()) involved.set("namespace", metadata["namespace"]);
    involved.set("name", metadata["name"]);
    involved.set("uid", metadata["uid"]);
    involved.set("apiVersion", object["apiVersion"]);
    if (!metadata["resourceVersion"].empty())
      involved.set("resourceVersion", metadata["resourceVersion"]);
    if (!field_path.empty()) involved.set("fieldPath", field_path);
    Json source = Json::object({{"component", component_}});
    if (!host_.empty()) source.set("host", host_);
    std::string time = base::format_rfc3339(now);
    std::string_view namespace_name = metadata["namespace"].as_string("default");
    return Json::object({
        {"apiVersion", "v1"},
        {"kind", "Event"},
        {"metadata", Json::object({{"name", ""}, {"namespace", namespace_name}})},
        {"involvedObject", std::move(involved)},
        {"reason", reason},
        {"message", message.substr(0, kEventMessageBytesMax)},
        {"source", std::move(source)},
        {"firstTimestamp", time},
        {"lastTimestamp", time},
        {"count", 1},
        {"type", type == EventType::normal ? "Normal" : "Warning"},
        {"eventTime", nullptr},
        {"reportingComponent", component_},
        {"reportingInstance", host_},
    });
  }

  StatePtr state_;
  const std::string component_, host_;
};

}  // namespace

std::unique_ptr<EventRecorder> make_recorder(Client& client, base::Executor& executor,
                                             base::Timers& timers, std::string component,
                                             std::string host) {
  auto state = std::make_shared<RecorderState>(client, executor, timers);
  return std::make_unique<RecorderImpl>(std::move(state), std::move(component), std::move(host));
}

}  // namespace skiff::client
