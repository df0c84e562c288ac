#include "agent/images/image_puller.h"

#include <skiff/base/strings.h>
#include <skiff/loop/work_pool.h>

#include "agent/images/plan_pull.h"
#include "agent/limits.h"

#include <algorithm>

namespace skiff::agent {

namespace {

// Go's Duration of a pull: "1.204s", "87ms".
std::string format_pull_time(base::Duration duration) {
  std::int64_t ms = duration.count() / 1'000'000;
  if (ms < 1000) return base::concat(ms, "ms");
  std::string fraction = std::to_string(ms % 1000);
  fraction.insert(0, 3 - fraction.size(), '0');
  while (!fraction.empty() && fraction.back() == '0') fraction.pop_back();
  std::string seconds = std::to_string(ms / 1000 % 60);
  if (!fraction.empty()) seconds += "." + fraction;
  std::string minutes = ms >= 60'000 ? base::concat(ms / 60'000, "m") : std::string();
  return minutes + seconds + "s";
}

}  // namespace

PullOutcome ImagePuller::failed(const codec::Json& pod, const std::string& image,
                                const std::string& path, std::string message) {
  auto& recorder = *context_.options.recorder;
  recorder.event(pod, client::EventType::warning, "Failed",
                 base::concat("Failed to pull image ", base::quote(image), ": ", message), path);
  recorder.event(pod, client::EventType::warning, "Failed", "Error: ErrImagePull", path);
  std::string key = base::concat(pod["metadata"]["uid"].as_string(), "_", image);
  auto& back_off = back_offs_[key];
  back_off.delay = back_off.delay.count() == 0
                       ? kBackOffInitial
                       : std::min<base::Duration>(back_off.delay * 2, kBackOffMax);
  back_off.failed_at = context_.monotonic();
  PullOutcome outcome;
  outcome.failure = {"ErrImagePull", std::move(message), back_off.failed_at + back_off.delay};
  return outcome;
}

base::Task<PullOutcome> ImagePuller::pull(codec::Json pod, std::string image, std::string path,
                                          std::vector<runtime::RegistryAuth> credentials,
                                          base::CancelToken cancel) {
  auto& gate_slot = gates_[image];
  auto gate = gate_slot.lock();
  if (gate == nullptr) gate_slot = gate = std::make_shared<Gate>();
  auto& recorder = *context_.options.recorder;
  recorder.event(pod, client::EventType::normal, "Pulling",
                 base::concat("Pulling image ", base::quote(image)), path);
  base::MonotonicTime asked_at = context_.monotonic();
  co_await gate->semaphore.acquire();
  base::MonotonicTime began_at = context_.monotonic();
  auto* images = context_.options.images;
  auto blocking = [images, image, credentials, cancel]() -> base::Result<runtime::Image> {
    if (cancel.is_cancelled()) return base::cancelled("the pod is being stopped");
    return images->pull(image, credentials, cancel);
  };
  auto pulled = co_await loop::run_blocking(*context_.options.pulls, std::move(blocking));
  gate->semaphore.release();
  if (gate.use_count() == 1) gates_.erase(image);
  if (!pulled) co_return failed(pod, image, path, std::string(pulled.status().message()));
  base::MonotonicTime done_at = context_.monotonic();
  std::string text =
      base::concat("Successfully pulled image ", base::quote(image), " in ",
                   format_pull_time(done_at - began_at), " (", format_pull_time(done_at - asked_at),
                   " including waiting). Image size: ", pulled->size_bytes, " bytes.");
  recorder.event(pod, client::EventType::normal, "Pulled", text, path);
  back_offs_.erase(base::concat(pod["metadata"]["uid"].as_string(), "_", image));
  PullOutcome outcome;
  outcome.image = std::move(*pulled);
  co_return outcome;
}

base::Task<PullOutcome> ImagePuller::ensure(codec::Json pod, codec::Json container,
                                            std::string path, ConfigSources sources,
                                            base::CancelToken cancel) {
  auto& recorder = *context_.options.recorder;
  std::string image(container["image"].as_string());
  PullOutcome outcome;
  outcome.failure.retry_at = context_.monotonic() + kConfigRetry;
  auto reference = runtime::parse_image_reference(image);
  if (!reference) {
    outcome.failure.reason = "InvalidImageName";
    outcome.failure.message = base::concat("Failed to apply default image tag ", base::quote(image),
                                           ": ", reference.status().message());
    recorder.event(pod, client::EventType::warning, "InspectFailed", outcome.failure.message, path);
    recorder.event(pod, client::EventType::warning, "Failed", "Error: InvalidImageName", path);
    co_return outcome;
  }
  auto* images = context_.options.images;
  auto look_up = [images, image] { return images->find(image); };
  auto present = co_await loop::run_blocking(*context_.options.work, look_up);
  auto decision = plan_pull(container["imagePullPolicy"].as_string(), image, present.is_ok());
  if (decision == PullDecision::use_present) {
    recorder.event(pod, client::EventType::normal, "Pulled",
                   base::concat("Container image ", base::quote(image),
                                " already present on machine and can be accessed by the pod"),
                   path);
    outcome.image = std::move(*present);
    co_return outcome;
  }
  if (decision == PullDecision::refuse) {
    outcome.failure.reason = "ErrImageNeverPull";
    outcome.failure.message = base::concat("Container image ", base::quote(image),
                                           " is not present with pull policy of Never");
    recorder.event(pod, client::EventType::warning, "ErrImageNeverPull", outcome.failure.message,
                   path);
    recorder.event(pod, client::EventType::warning, "Failed", "Error: ErrImageNeverPull", path);
    co_return outcome;
  }
  if (auto missing = plan_missing_pull_secrets(pod, sources); !missing.empty())
    recorder.event(
        pod, client::EventType::warning, "FailedToRetrieveImagePullSecret",
        base::concat("Unable to retrieve some image pull secrets (", base::join(missing, ", "),
                     "); attempting to pull the image may not succeed."));
  auto credentials = plan_credentials(pod, sources, *reference);
  auto task = pull(pod, image, path, std::move(credentials), cancel);
  co_return co_await std::move(task);
}

void ImagePuller::forget(const std::string& pod_uid) {
  std::string prefix = pod_uid + "_";
  for (auto it = back_offs_.lower_bound(prefix);
       it != back_offs_.end() && base::starts_with(it->first, prefix);)
    it = back_offs_.erase(it);
}

}  // namespace skiff::agent
