// A part of an object's text as a tree, where a tree of all of it would be wasted.
#pragma once

#include <skiff/codec/json.h>

#include <initializer_list>
#include <string_view>

namespace skiff::api {

// The value at a path of member names; null when absent.
codec::Json scan_tree(std::string_view json, std::initializer_list<std::string_view> path);

}  // namespace skiff::api
