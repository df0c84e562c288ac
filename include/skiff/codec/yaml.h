// YAML 1.2 to JSON values, as sigs.k8s.io/yaml does for manifests.
#pragma once

#include <skiff/codec/json.h>

#include <string>
#include <string_view>
#include <vector>

namespace skiff::codec {

// One document. Aliases are expanded within JsonLimits, so an alias bomb is too_large. Errors:
// invalid_argument with line and column.
base::Result<Json> parse_yaml(std::string_view text, const JsonParseOptions& options = {});
// All documents of a stream separated by "---"; empty ones are left out.
base::Result<std::vector<Json>> parse_yaml_stream(std::string_view text,
                                                  const JsonParseOptions& options = {});
// Block style, two spaces, strings quoted where plain text would read as something else.
std::string write_yaml(const Json& value);

}  // namespace skiff::codec
