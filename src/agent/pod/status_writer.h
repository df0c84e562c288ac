// Sends one pod's status to the API: the newest wins, failures are tried again.
#pragma once

#include <skiff/base/async.h>

#include "agent/context.h"

#include <string>

namespace skiff::agent {

// Loop-only; one reader of flush().
class StatusWriter {
 public:
  StatusWriter(const AgentContext& context, const codec::Json& pod);

  void set(codec::Json status);
  // What the API has, from a watch; versions older than our last write are left out.
  void set_api_object(const codec::Json& pod);
  const codec::Json& api_status() const { return api_status_; }
  base::Task<void> run(base::CancelToken cancel);
  // True when everything is written, or the pod is gone from the API; false when cancelled.
  base::Task<bool> flush(base::CancelToken cancel);
  // The API no longer has the pod.
  void set_gone();

 private:
  base::Task<base::Status> write(codec::Json patch);

  const AgentContext& context_;
  std::string namespace_name_, name_, uid_;
  codec::Json api_status_, wanted_;
  std::int64_t api_version_ = 0;
  bool dirty_ = false, writing_ = false, gone_ = false;
  base::Notifier changed_, written_;
};

}  // namespace skiff::agent
