// What every request passes before its handler, in the order of chain.cpp.
#pragma once

#include <skiff/api/outcome.h>

#include "apiserver/context.h"

namespace skiff::apiserver {

// Fills query and info from the target. Errors: 400.
api::Outcome<> filter_request_info(RequestContext& context);
// Fills user. Errors: 401.
api::Outcome<> filter_authenticate(RequestContext& context);
// Replaces user where the client asks to act as another (kubectl --as). Errors: 400, 403.
api::Outcome<> filter_impersonate(RequestContext& context);
// Errors: 403; 401 for nobody in particular.
api::Outcome<> filter_authorize(RequestContext& context);
// What the request is, for the authorizer; views into the context.
auth::Attributes authorizer_attributes(const RequestContext& context);
// 403 in upstream's words.
api::ApiError not_allowed(const auth::Attributes& attributes, std::string_view reason);
// Errors: 403.
api::Outcome<> check_allowed(const RequestContext& context, const auth::Attributes& attributes);
// Whether the request would also be allowed with another verb, because it does what that verb says:
// a PUT that creates, a GET that starts a process. Errors: 403.
api::Outcome<> authorize_also(const RequestContext& context, std::string_view verb);

// A place among the requests at work, given back at the end. Movable.
class FlowPermit {
 public:
  FlowPermit() = default;
  explicit FlowPermit(std::atomic<int>* lane) : lane_(lane) {}
  FlowPermit(FlowPermit&& other) noexcept : lane_(std::exchange(other.lane_, nullptr)) {}
  FlowPermit& operator=(FlowPermit&& other) noexcept {
    if (this != &other) {
      release();
      lane_ = std::exchange(other.lane_, nullptr);
    }
    return *this;
  }
  ~FlowPermit() { release(); }

 private:
  void release() {
    if (lane_ != nullptr) lane_->fetch_sub(1, std::memory_order_relaxed);
    lane_ = nullptr;
  }
  std::atomic<int>* lane_ = nullptr;
};
// Errors: 429.
api::Outcome<FlowPermit> filter_flow_limit(RequestContext& context);

// All of them in order. `authenticated` is set for in-process clients, which bring their user.
api::Outcome<FlowPermit> run_filters(RequestContext& context, const auth::User* authenticated);

}  // namespace skiff::apiserver
