// A node describes itself, but not with what steers pods to it or says whose it is.
#include <skiff/api/node_labels.h>
#include <skiff/api/object.h>
#include <skiff/auth/join_token.h>
#include <skiff/base/strings.h>

#include <set>

#include "admission/plugins/node_restriction.h"

namespace skiff::admission {

using codec::Json;

namespace {

// In order, as upstream lists them; empty when there is none.
std::string forbidden_changes(const Json& object, const Json& live) {
  std::set<std::string_view> keys;
  auto collect = [&keys](const Json& labels, const Json& others) {
    for (const auto& label : labels.members()) {
      const Json* other = others.find(label.key);
      const bool same = other != nullptr && *other == label.value;
      if (!same && !api::may_node_label_itself(label.key)) keys.insert(label.key);
    }
  };
  const Json& after = object["metadata"]["labels"];
  const Json& before = live["metadata"]["labels"];
  collect(after, before);
  collect(before, after);
  std::string text;
  for (auto key : keys) text += base::concat(text.empty() ? "" : ", ", key);
  return text;
}

bool same_list(const Json& a, const Json& b) { return a == b || (a.empty() && b.empty()); }

std::string not_allowed(const NodeWrite& write, std::string_view what) {
  return base::concat("node ", base::quote(write.node), " is not allowed to ", what);
}

api::Outcome<> check_create(const NodeWrite& write) {
  if (!write.object["spec"]["configSource"].is_null()) {
    return write.refuse(not_allowed(write, "create pods with a non-nil configSource"));
  }
  if (auto labels = forbidden_changes(write.object, Json()); !labels.empty()) {
    return write.refuse(not_allowed(write, base::concat("set the following labels: ", labels)));
  }
  return api::Done{};
}

api::Outcome<> check_update(const NodeWrite& write) {
  const Json& source = write.object["spec"]["configSource"];
  if (!source.is_null() && source != write.live["spec"]["configSource"]) {
    return write.refuse(not_allowed(write, "update configSource to a new non-nil configSource"));
  }
  if (!same_list(write.object["spec"]["taints"], write.live["spec"]["taints"])) {
    return write.refuse(not_allowed(write, "modify taints"));
  }
  if (!same_list(write.object["metadata"]["ownerReferences"],
                 write.live["metadata"]["ownerReferences"])) {
    return write.refuse(not_allowed(write, "modify ownerReferences"));
  }
  if (auto labels = forbidden_changes(write.object, write.live); !labels.empty()) {
    return write.refuse(base::concat("is not allowed to modify labels: ", labels));
  }
  return api::Done{};
}

}  // namespace

api::Outcome<> restrict_node(const NodeWrite& write) {
  const auto& a = write.attributes;
  if (a.name != write.node) {
    return write.refuse(not_allowed(write, base::concat("modify node ", base::quote(a.name))));
  }
  if (a.operation == Operation::remove) return api::Done{};
  // At creation the API server has written the key of the connection over what the node said.
  if (a.operation == Operation::create) return check_create(write);
  if (api::annotation(write.object, auth::kNodeKeyAnnotation) !=
      api::annotation(write.live, auth::kNodeKeyAnnotation)) {
    return write.refuse(
        not_allowed(write, base::concat("modify the annotation ", auth::kNodeKeyAnnotation)));
  }
  return check_update(write);
}

}  // namespace skiff::admission
