#include "apiserver/filters/filters.h"

namespace skiff::apiserver {

api::Outcome<FlowPermit> run_filters(RequestContext& context, const auth::User* authenticated) {
  SKIFF_CHECK(filter_request_info(context));
  if (authenticated != nullptr) {
    context.user = *authenticated;
  } else {
    SKIFF_CHECK(filter_authenticate(context));
    SKIFF_CHECK(filter_impersonate(context));
  }
  SKIFF_TRY(auto permit, filter_flow_limit(context));
  SKIFF_CHECK(filter_authorize(context));
  return permit;
}

}  // namespace skiff::apiserver
