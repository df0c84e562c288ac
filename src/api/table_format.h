// Pieces of table cells that several kinds share. Pure.
#pragma once

#include <skiff/base/clock.h>
#include <skiff/codec/json.h>

#include <string>
#include <string_view>

namespace skiff::api {

// "5m10s", "3h", "<invalid>" for the future.
std::string human_duration(base::Duration duration);
// The age of a timestamp, "<unknown>" when it is absent.
std::string age_since(const codec::Json& timestamp, base::WallTime now);
// `text`, or "<none>" when it is empty.
std::string or_none(std::string_view text);

codec::Json pod_cells(const codec::Json& pod, base::WallTime now);
codec::Json node_cells(const codec::Json& node, base::WallTime now);
codec::Json service_cells(const codec::Json& service, base::WallTime now);
codec::Json endpoints_cells(const codec::Json& endpoints, base::WallTime now);
codec::Json endpoint_slice_cells(const codec::Json& slice, base::WallTime now);
codec::Json signing_request_cells(const codec::Json& request, base::WallTime now);
// Of the core and of the events.k8s.io form.
codec::Json event_cells(const codec::Json& event, base::WallTime now);

}  // namespace skiff::api
