#include "support/memory_api.h"

#include <skiff/api/selector.h>
#include <skiff/base/strings.h>

#include <deque>

namespace skiff::test {

using base::Status;
using client::Resource;
using client::WatchEvent;
using codec::Json;

namespace {

std::string key_of(std::string_view namespace_name, std::string_view name) {
  if (namespace_name.empty()) return std::string(name);
  return base::concat(namespace_name, '/', name);
}

void merge(Json& target, const Json& patch, bool is_strategic);

// Conditions and addresses have "type" as their merge key.
void merge_by_type(Json& target, const Json& patch) {
  if (!target.is_array()) target = Json::array();
  for (const auto& item : patch.items()) {
    bool is_known = false;
    for (auto& present : target.mutable_items()) {
      if (present["type"] != item["type"]) continue;
      merge(present, item, true);
      is_known = true;
    }
    if (!is_known) target.push_back(item);
  }
}

void merge(Json& target, const Json& patch, bool is_strategic) {
  if (!target.is_object()) target = Json::object();
  for (const auto& member : patch.members()) {
    if (member.value.is_null()) {
      target.erase(member.key);
    } else if (member.value.is_object()) {
      merge(target[member.key], member.value, is_strategic);
    } else if (is_strategic && (member.key == "conditions" || member.key == "addresses")) {
      merge_by_type(target[member.key], member.value);
    } else {
      target.set(member.key, member.value);
    }
  }
}

bool selects(const client::ListOptions& options, const Json& object) {
  if (!options.namespace_name.empty() &&
      object.at({"metadata", "namespace"}).as_string() != options.namespace_name)
    return false;
  if (options.label_selector.empty() && options.field_selector.empty()) return true;
  auto labels = api::LabelSelector::parse(options.label_selector);
  auto fields = api::FieldSelector::parse(options.field_selector);
  return labels.is_ok() && fields.is_ok() && labels->matches(object.at({"metadata", "labels"})) &&
         fields->matches(object);
}

}  // namespace

class MemoryApi::Stream final : public client::WatchStream {
 public:
  Stream(MemoryApi& owner, std::string resource, client::ListOptions options,
         base::CancelToken cancel)
      : owner_(owner),
        resource(std::move(resource)),
        options(std::move(options)),
        cancel_(std::move(cancel)) {
    owner_.streams_.insert(this);
  }
  ~Stream() override { owner_.streams_.erase(this); }

  base::Task<base::Result<std::vector<WatchEvent>>> next() override {
    while (events_.empty()) {
      if (end_ != base::Code::ok) co_return Status(end_, "the watch ended");
      bool notified = co_await notifier_.wait(cancel_);
      if (!notified) co_return base::cancelled("watch cancelled");
    }
    std::vector<WatchEvent> batch = std::exchange(events_, {});
    co_return batch;
  }
  void push(const WatchEvent& event) {
    events_.push_back(event);
    notifier_.notify();
  }
  void end(base::Code code) {
    end_ = code;
    notifier_.notify();
  }

 private:
  MemoryApi& owner_;

 public:
  const std::string resource;
  const client::ListOptions options;

 private:
  base::CancelToken cancel_;
  base::Notifier notifier_;
  std::vector<WatchEvent> events_;
  base::Code end_ = base::Code::ok;
};

MemoryApi::MemoryApi(base::Timers& timers) : timers_(timers), random_(base::seeded_random(1)) {}
MemoryApi::~MemoryApi() = default;

Status MemoryApi::check(std::string_view verb, Resource resource, std::string_view name) {
  if (!fault) return Status::ok();
  return fault(verb, resource, name);
}

void MemoryApi::publish(Resource resource, WatchEvent::Type type, const Json& object,
                        std::uint64_t revision) {
  WatchEvent event;
  event.type = type;
  event.object = api::StoredObject(api::StoredObject::encode(object), revision);
  event.revision = revision;
  for (Stream* stream : streams_)
    if (stream->resource == resource.resource && selects(stream->options, object))
      stream->push(event);
  log_.push_back({std::string(resource.resource), std::move(event)});
}

const Json& MemoryApi::store(Resource resource, const std::string& key, Json object) {
  Objects& objects = of(resource);
  bool is_new = objects.count(key) == 0;
  Entry& entry = objects[key];
  entry.revision = ++revision_;
  object["metadata"].set("resourceVersion", std::to_string(entry.revision));
  entry.object = std::move(object);
  publish(resource, is_new ? WatchEvent::Type::added : WatchEvent::Type::modified, entry.object,
          entry.revision);
  return entry.object;
}

void MemoryApi::drop(Resource resource, const std::string& key) {
  Objects& objects = of(resource);
  auto found = objects.find(key);
  Json object = std::move(found->second.object);
  objects.erase(found);
  publish(resource, WatchEvent::Type::removed, object, ++revision_);
}

base::Task<client::Client::ObjectResult> MemoryApi::get(Resource resource,
                                                        std::string namespace_name,
                                                        std::string name) {
  SKIFF_CO_RETURN_IF_ERROR(check("get", resource, name));
  auto& objects = of(resource);
  auto found = objects.find(key_of(namespace_name, name));
  if (found == objects.end())
    co_return base::not_found(base::concat(resource.resource, " \"", name, "\" not found"));
  co_return found->second.object;
}

base::Task<base::Result<client::ObjectList>> MemoryApi::list(Resource resource,
                                                             client::ListOptions options) {
  ++lists;
  SKIFF_CO_RETURN_IF_ERROR(check("list", resource, ""));
  client::ObjectList result;
  for (const auto& [key, entry] : of(resource))
    if (selects(options, entry.object))
      result.items.emplace_back(api::StoredObject::encode(entry.object), entry.revision);
  result.revision = revision_;
  co_return result;
}

base::Task<base::Result<std::unique_ptr<client::WatchStream>>> MemoryApi::watch(
    Resource resource, client::ListOptions options, std::uint64_t revision,
    base::CancelToken cancel) {
  ++watches;
  SKIFF_CO_RETURN_IF_ERROR(check("watch", resource, ""));
  if (revision < log_start_) co_return Status(base::Code::expired, "too old resource version");
  auto stream =
      std::make_unique<Stream>(*this, std::string(resource.resource), options, std::move(cancel));
  for (const Logged& logged : log_)
    if (logged.event.revision > revision && logged.resource == resource.resource) {
      auto tree = logged.event.object.parse();
      if (tree.is_ok() && selects(options, *tree)) stream->push(logged.event);
    }
  std::unique_ptr<client::WatchStream> opened = std::move(stream);
  co_return opened;
}

base::Task<client::Client::ObjectResult> MemoryApi::create(Resource resource,
                                                           std::string namespace_name, Json object,
                                                           std::string subresource,
                                                           std::string name) {
  ++writes;
  std::string own_name(object.at({"metadata", "name"}).as_string());
  SKIFF_CO_RETURN_IF_ERROR(check("create", resource, subresource.empty() ? own_name : name));
  if (answer) {
    Json answered = answer(resource, object);
    if (!answered.is_null()) co_return answered;
  }
  if (subresource == "binding") {
    auto& pods = of(resource);
    auto found = pods.find(key_of(namespace_name, name));
    if (found == pods.end()) co_return base::not_found("pods not found");
    Json pod = found->second.object;
    if (!pod.at({"spec", "nodeName"}).empty()) co_return base::conflict("pod is already assigned");
    pod["spec"].set("nodeName", object.at({"target", "name"}));
    Json condition = Json::object({{"type", "PodScheduled"}, {"status", "True"}});
    pod["status"].set("conditions", Json::array({std::move(condition)}));
    store(resource, found->first, std::move(pod));
    co_return Json::object({{"kind", "Status"}, {"status", "Success"}});
  }
  Json& metadata = object["metadata"];
  if (own_name.empty()) {
    own_name =
        base::concat(metadata["generateName"].as_string(), base::make_name_suffix(*random_, 5));
    metadata.set("name", own_name);
  }
  if (!namespace_name.empty()) metadata.set("namespace", namespace_name);
  std::string key = key_of(namespace_name, own_name);
  if (of(resource).count(key) != 0)
    co_return base::already_exists(
        base::concat(resource.resource, " \"", own_name, "\" already exists"));
  metadata.set("uid", base::make_uuid(*random_));
  metadata.set("generation", 1);
  metadata.set("creationTimestamp", base::format_rfc3339(timers_.clock().now()));
  if (resource.resource == "pods" && object.at({"status", "phase"}).empty())
    object["status"].set("phase", "Pending");
  co_return store(resource, key, std::move(object));
}

client::Client::ObjectResult MemoryApi::write_back(Resource resource, const std::string& key,
                                                   Json object, const std::string& subresource) {
  Entry& entry = of(resource)[key];
  std::string_view expected = object.at({"metadata", "resourceVersion"}).as_string();
  if (!expected.empty() && expected != std::to_string(entry.revision))
    return base::conflict("the object has been modified");
  Json next = subresource.empty() || subresource == "finalize" ? object : entry.object;
  if (subresource == "status" || subresource == "approval") {
    next.set("status", object["status"]);
    if (const Json* annotations = std::as_const(object)["metadata"].find("annotations"))
      next["metadata"].set("annotations", *annotations);
  }
  if (subresource.empty() && entry.object.contains("status"))
    next.set("status", entry.object["status"]);
  next["metadata"].set("uid", entry.object.at({"metadata", "uid"}));
  std::int64_t generation = entry.object.at({"metadata", "generation"}).as_int();
  if (next["spec"] != entry.object["spec"]) ++generation;
  next["metadata"].set("generation", generation);
  next["metadata"].set("resourceVersion", std::to_string(entry.revision));
  if (next == entry.object) return entry.object;
  bool ending = !next.at({"metadata", "deletionTimestamp"}).empty();
  bool held = !next.at({"metadata", "finalizers"}).empty() ||
              !next.at({"spec", "finalizers"}).empty() ||
              (resource.resource == "pods" &&
               next.at({"metadata", "deletionGracePeriodSeconds"}).as_int() > 0);
  if (ending && !held) {
    drop(resource, key);
    return next;
  }
  return store(resource, key, std::move(next));
}

base::Task<client::Client::ObjectResult> MemoryApi::update(Resource resource, Json object,
                                                           std::string subresource) {
  ++writes;
  std::string name(object.at({"metadata", "name"}).as_string());
  SKIFF_CO_RETURN_IF_ERROR(check("update", resource, name));
  std::string key = key_of(object.at({"metadata", "namespace"}).as_string(), name);
  if (of(resource).count(key) == 0) co_return base::not_found("object not found");
  co_return write_back(resource, key, std::move(object), subresource);
}

base::Task<client::Client::ObjectResult> MemoryApi::patch(Resource resource,
                                                          std::string namespace_name,
                                                          std::string name, client::PatchType type,
                                                          Json patch, std::string subresource) {
  ++writes;
  SKIFF_CO_RETURN_IF_ERROR(check("patch", resource, name));
  std::string key = key_of(namespace_name, name);
  if (of(resource).count(key) == 0) co_return base::not_found("object not found");
  Json object = of(resource)[key].object;
  std::string_view uid = patch.at({"metadata", "uid"}).as_string();
  if (!uid.empty() && uid != object.at({"metadata", "uid"}).as_string())
    co_return base::conflict("the uid differs");
  object["metadata"].erase("resourceVersion");
  merge(object, patch, type == client::PatchType::strategic);
  co_return write_back(resource, key, std::move(object), subresource);
}

base::Task<Status> MemoryApi::remove(Resource resource, std::string namespace_name,
                                     std::string name, client::DeleteOptions options) {
  ++writes;
  SKIFF_CO_RETURN_IF_ERROR(check("delete", resource, name));
  std::string key = key_of(namespace_name, name);
  auto& objects = of(resource);
  auto found = objects.find(key);
  if (found == objects.end()) co_return base::not_found("object not found");
  Json object = found->second.object;
  if (!options.uid.empty() && options.uid != object.at({"metadata", "uid"}).as_string())
    co_return base::conflict("the uid differs");
  if (!options.resource_version.empty() &&
      options.resource_version != std::to_string(found->second.revision))
    co_return base::conflict("the resourceVersion differs");
  std::int64_t grace = 0;
  if (resource.resource == "pods" && !object.at({"spec", "nodeName"}).empty())
    grace = options.grace_period_seconds.value_or(
        object.at({"spec", "terminationGracePeriodSeconds"}).as_int(30));
  if (options.propagation_policy == "Foreground" || options.propagation_policy == "Orphan") {
    const char* finalizer =
        options.propagation_policy == "Orphan" ? "orphan" : "foregroundDeletion";
    Json& finalizers = object["metadata"]["finalizers"];
    bool present = false;
    for (const Json& item : finalizers.items()) present |= item.as_string() == finalizer;
    if (finalizers.is_null()) finalizers = Json::array();
    if (!present) finalizers.push_back(finalizer);
  }
  bool held = grace > 0 || !object.at({"metadata", "finalizers"}).empty() ||
              !object.at({"spec", "finalizers"}).empty();
  if (!held) {
    drop(resource, key);
    co_return Status::ok();
  }
  object["metadata"].set("deletionTimestamp", base::format_rfc3339(timers_.clock().now()));
  if (resource.resource == "pods") object["metadata"].set("deletionGracePeriodSeconds", grace);
  if (resource.resource == "namespaces") object["status"].set("phase", "Terminating");
  if (object != found->second.object) store(resource, key, std::move(object));
  if (delete_answer_delay.count() > 0) co_await base::sleep(timers_, delete_answer_delay, {});
  co_return Status::ok();
}

Json MemoryApi::object(Resource resource, const std::string& key) const {
  auto objects = objects_.find(std::string(resource.resource));
  if (objects == objects_.end()) return nullptr;
  auto found = objects->second.find(key);
  if (found == objects->second.end()) return nullptr;
  return found->second.object;
}

std::vector<Json> MemoryApi::objects(Resource resource) const {
  std::vector<Json> result;
  auto objects = objects_.find(std::string(resource.resource));
  if (objects == objects_.end()) return result;
  for (const auto& [key, entry] : objects->second) result.push_back(entry.object);
  return result;
}

void MemoryApi::put(Resource resource, Json object) {
  std::string key = key_of(object.at({"metadata", "namespace"}).as_string(),
                           object.at({"metadata", "name"}).as_string());
  if (object.at({"metadata", "uid"}).empty())
    object["metadata"].set("uid", base::make_uuid(*random_));
  if (object.at({"metadata", "creationTimestamp"}).empty())
    object["metadata"].set("creationTimestamp", base::format_rfc3339(timers_.clock().now()));
  store(resource, key, std::move(object));
}

void MemoryApi::erase(Resource resource, const std::string& key) {
  if (of(resource).count(key) != 0) drop(resource, key);
}

void MemoryApi::end_watches(base::Code code) {
  if (code == base::Code::expired) {
    log_.clear();
    log_start_ = revision_;
  }
  for (Stream* stream : streams_) stream->end(code);
}

}  // namespace skiff::test
