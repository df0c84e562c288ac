// What a plain YAML scalar means, as sigs.k8s.io/yaml (go-yaml v2) reads it.
#pragma once

#include <skiff/codec/json.h>

#include <string_view>

namespace skiff::codec {

// Null, bool, number or the text itself. Timestamps stay text, "yes" and "on" are bools.
Json resolve_plain_scalar(std::string_view text);

}  // namespace skiff::codec
