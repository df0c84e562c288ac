#include <skiff/api/summary.h>

#include "api/json_scan.h"

namespace skiff::api {

namespace {

bool skip(JsonScanner& scanner) { return !scanner.take_value().empty(); }

// Calls `each` with every key of the object at the scanner, which takes the value; moves past what
// is no object. False on a defect.
template <class Each>
bool for_each_member(JsonScanner& scanner, Each each) {
  if (!scanner.enter_object()) return skip(scanner);
  std::string key;
  while (scanner.next_key(key))
    if (!each(key)) return false;
  return scanner.leave_object();
}

bool take_string(JsonScanner& scanner, std::string& out) {
  const std::string_view raw = scanner.take_value();
  if (auto text = decode_json_string(raw)) out = std::move(*text);
  return !raw.empty();
}

bool take_metadata(JsonScanner& scanner, ObjectSummary& summary) {
  return for_each_member(scanner, [&](const std::string& key) {
    if (key == "name") return take_string(scanner, summary.name);
    if (key == "namespace") return take_string(scanner, summary.namespace_name);
    if (key == "uid") return take_string(scanner, summary.uid);
    if (key == "deletionTimestamp") {
      const std::string_view raw = scanner.take_value();
      summary.is_being_deleted = !raw.empty() && raw != "null";
      return !raw.empty();
    }
    if (key == "ownerReferences") {
      const std::string_view raw = scanner.take_value();
      if (auto owners = codec::parse_json(raw)) summary.owners = std::move(*owners);
      return !raw.empty();
    }
    return skip(scanner);
  });
}

// The string member `name` of the object at the scanner.
bool take_member(JsonScanner& scanner, std::string_view name, std::string& out) {
  return for_each_member(scanner, [&](const std::string& key) {
    return key == name ? take_string(scanner, out) : skip(scanner);
  });
}

}  // namespace

const codec::Json& ObjectSummary::controller() const {
  static const codec::Json kNone;
  for (const auto& owner : owners.items())
    if (owner["controller"].as_bool()) return owner;
  return kNone;
}

ObjectSummary summarize(std::string_view json) {
  ObjectSummary summary;
  JsonScanner scanner(json);
  for_each_member(scanner, [&](const std::string& key) {
    if (key == "metadata") return take_metadata(scanner, summary);
    if (key == "spec") return take_member(scanner, "nodeName", summary.node_name);
    if (key == "status") return take_member(scanner, "phase", summary.phase);
    return skip(scanner);
  });
  return summary;
}

}  // namespace skiff::api
