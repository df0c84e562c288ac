// What those who watch objects ask of each change, read in one pass over its text without a tree.
#pragma once

#include <skiff/codec/json.h>

#include <string>
#include <string_view>

namespace skiff::api {

struct ObjectSummary {
  std::string name, namespace_name, uid;  // of metadata
  bool is_being_deleted = false;
  codec::Json owners;            // metadata.ownerReferences; null without
  std::string node_name, phase;  // spec.nodeName and status.phase, as pods have them

  // The owner with controller: true; null JSON without. Lives as long as the summary.
  const codec::Json& controller() const;
};

// Of the text of an object; what is absent, of another type or no JSON stays empty.
ObjectSummary summarize(std::string_view json);

}  // namespace skiff::api
