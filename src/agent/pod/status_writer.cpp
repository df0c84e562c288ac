#include "agent/pod/status_writer.h"

#include <skiff/base/log.h>
#include <skiff/base/strings.h>

#include "agent/limits.h"
#include "agent/pod/plan_status.h"

#include <algorithm>

namespace skiff::agent {

StatusWriter::StatusWriter(const AgentContext& context, const codec::Json& pod)
    : context_(context),
      namespace_name_(pod["metadata"]["namespace"].as_string()),
      name_(pod["metadata"]["name"].as_string()),
      uid_(pod["metadata"]["uid"].as_string()),
      api_status_(pod["status"]) {}

void StatusWriter::set(codec::Json status) {
  wanted_ = std::move(status);
  dirty_ = true;
  changed_.notify();
}

namespace {
std::int64_t version_of(const codec::Json& pod) {
  return base::parse_int(pod["metadata"]["resourceVersion"].as_string()).value_or(0);
}
}  // namespace

void StatusWriter::set_api_object(const codec::Json& pod) {
  std::int64_t version = version_of(pod);
  if (version < api_version_) return;
  api_version_ = version;
  api_status_ = pod["status"];
}

void StatusWriter::set_gone() {
  gone_ = true;
  changed_.notify();
  written_.notify();
}

base::Task<base::Status> StatusWriter::write(codec::Json patch) {
  auto answer = co_await context_.options.client->patch(client::resources::pods, namespace_name_,
                                                        name_, client::PatchType::strategic,
                                                        std::move(patch), "status");
  if (!answer) co_return answer.status();
  set_api_object(*answer);
  co_return base::Status();
}

base::Task<void> StatusWriter::run(base::CancelToken cancel) {
  base::Duration pause = kStatusRetryInitial;
  for (;;) {
    if (!dirty_ || gone_) {
      bool notified = co_await changed_.wait(cancel);
      if (!notified) co_return;
      continue;
    }
    dirty_ = false;
    writing_ = true;
    codec::Json patch = plan_status_patch(api_status_, wanted_, uid_);
    base::Status status;
    if (!patch.is_null()) status = co_await write(std::move(patch));
    writing_ = false;
    if (status.is_ok()) {
      pause = kStatusRetryInitial;
      if (!dirty_) written_.notify();
      continue;
    }
    if (status.code() == base::Code::not_found || status.code() == base::Code::conflict ||
        status.code() == base::Code::invalid_argument) {
      // Gone, or another pod of that name: the watch will say which.
      if (status.code() != base::Code::not_found)
        base::log_warning("pod status was refused", {{"pod", name_}, {"error", status}});
      written_.notify();
      continue;
    }
    dirty_ = true;
    bool slept = co_await base::sleep(context_.timers(), pause, cancel);
    if (!slept) co_return;
    pause = std::min<base::Duration>(pause * 2, kStatusRetryMax);
  }
}

base::Task<bool> StatusWriter::flush(base::CancelToken cancel) {
  while (!gone_ && (dirty_ || writing_)) {
    bool notified = co_await written_.wait(cancel);
    if (!notified) co_return false;
  }
  co_return true;
}

}  // namespace skiff::agent
