// meta.k8s.io/v1 Table: what `kubectl get` prints.
#pragma once

#include <skiff/api/kind.h>
#include <skiff/base/clock.h>
#include <skiff/codec/json.h>

#include <span>
#include <string_view>

namespace skiff::api {

struct TableColumn {
  std::string_view name, type, format;
  int priority = 0;
};
std::span<const TableColumn> table_columns(const ResourceInfo& resource);
// columnDefinitions as JSON.
codec::Json table_column_definitions(const ResourceInfo& resource);
// The cells of one object; ages are printed as upstream's ShortHumanDuration against `now`.
codec::Json table_cells(const ResourceInfo& resource, const codec::Json& object,
                        base::WallTime now);

}  // namespace skiff::api
