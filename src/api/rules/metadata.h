// Rules of metav1.ObjectMeta and of label selectors.
#pragma once

#include "api/rules/error_list.h"

#include <string_view>
#include <vector>

namespace skiff::api::rules {

using NameCheck = std::vector<std::string> (*)(std::string_view name);

// Any name that can stand in a URL path.
std::vector<std::string> check_path_segment_name(std::string_view name);

void validate_metadata(const codec::Json& metadata, bool namespaced, NameCheck name_check,
                       ErrorList& errors);
void validate_metadata_update(const codec::Json& metadata, const codec::Json& old_metadata,
                              ErrorList& errors);

void validate_labels(const codec::Json& labels, const std::string& path, ErrorList& errors);
void validate_annotations(const codec::Json& annotations, const std::string& path,
                          ErrorList& errors);
void validate_label_selector(const codec::Json& selector, const std::string& path,
                             ErrorList& errors);
// In, NotIn, Exists and DoesNotExist against their values; false for any other operator, which it
// does not look at.
bool validate_set_operator(const codec::Json& requirement, const std::string& path,
                           ErrorList& errors);
void validate_immutable(const codec::Json& value, const codec::Json& old_value, std::string path,
                        ErrorList& errors);

}  // namespace skiff::api::rules
