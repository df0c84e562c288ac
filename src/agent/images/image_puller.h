// Makes sure that an image is here: policy, back-off, events, one pull per image at a time.
#pragma once

#include <skiff/base/async.h>
#include <skiff/client/recorder.h>
#include <skiff/runtime/image.h>

#include "agent/context.h"

#include <map>
#include <memory>
#include <optional>
#include <string>

namespace skiff::agent {

struct PullFailure {
  std::string reason;  // "ErrImagePull", "ErrImageNeverPull", "InvalidImageName"
  std::string message;
  base::MonotonicTime retry_at;
};
struct PullOutcome {
  std::optional<runtime::Image> image;
  PullFailure failure;  // when there is no image
};

// Loop-only.
class ImagePuller {
 public:
  explicit ImagePuller(const AgentContext& context) : context_(context) {}

  // `path` is the container's field path for events.
  base::Task<PullOutcome> ensure(codec::Json pod, codec::Json container, std::string path,
                                 ConfigSources sources, base::CancelToken cancel);
  void forget(const std::string& pod_uid);

 private:
  struct BackOff {
    base::Duration delay{0};
    base::MonotonicTime failed_at;
  };
  struct Gate {
    base::AsyncSemaphore semaphore{1};
  };
  base::Task<PullOutcome> pull(codec::Json pod, std::string image, std::string path,
                               std::vector<runtime::RegistryAuth> credentials,
                               base::CancelToken cancel);
  PullOutcome failed(const codec::Json& pod, const std::string& image, const std::string& path,
                     std::string message);

  const AgentContext& context_;
  std::map<std::string, BackOff> back_offs_;  // "uid_image"
  std::map<std::string, std::weak_ptr<Gate>> gates_;
};

}  // namespace skiff::agent
