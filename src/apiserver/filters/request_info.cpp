#include "apiserver/filters/filters.h"

namespace skiff::apiserver {

api::Outcome<> filter_request_info(RequestContext& context) {
  const auto& request = context.request;
  auto query = http::parse_query(request.raw_query());
  if (!query.is_ok()) return api::bad_request_error(query.status().message());
  context.query = std::move(*query);
  auto info = parse_request_info(request.method, request.path(), context.query);
  if (!info.is_ok()) return api::bad_request_error(info.status().message());
  context.info = std::move(*info);
  return api::Done{};
}

}  // namespace skiff::apiserver
