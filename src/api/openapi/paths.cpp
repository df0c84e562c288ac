#include <skiff/base/strings.h>

#include <algorithm>

#include "api/openapi/model.h"

namespace skiff::api {

namespace {

using codec::Json;
using PathVisitor = base::UniqueFunction<void(const std::string& path, Json item)>;

struct Query {
  std::string_view name, type;
};
constexpr Query kListQueries[] = {{"allowWatchBookmarks", "boolean"},
                                  {"continue", "string"},
                                  {"fieldSelector", "string"},
                                  {"labelSelector", "string"},
                                  {"limit", "integer"},
                                  {"resourceVersion", "string"},
                                  {"resourceVersionMatch", "string"},
                                  {"sendInitialEvents", "boolean"},
                                  {"timeoutSeconds", "integer"},
                                  {"watch", "boolean"}};
constexpr Query kWriteQueries[] = {
    {"dryRun", "string"}, {"fieldManager", "string"}, {"fieldValidation", "string"}};
constexpr Query kPatchQueries[] = {{"dryRun", "string"},
                                   {"fieldManager", "string"},
                                   {"fieldValidation", "string"},
                                   {"force", "boolean"}};
constexpr Query kDeleteQueries[] = {{"dryRun", "string"},
                                    {"gracePeriodSeconds", "integer"},
                                    {"orphanDependents", "boolean"},
                                    {"propagationPolicy", "string"}};
constexpr Query kLogQueries[] = {{"container", "string"},     {"follow", "boolean"},
                                 {"limitBytes", "integer"},   {"previous", "boolean"},
                                 {"sinceSeconds", "integer"}, {"sinceTime", "string"},
                                 {"tailLines", "integer"},    {"timestamps", "boolean"}};
constexpr Query kExecQueries[] = {{"command", "string"}, {"container", "string"},
                                  {"stderr", "boolean"}, {"stdin", "boolean"},
                                  {"stdout", "boolean"}, {"tty", "boolean"}};
constexpr Query kPortQueries[] = {{"ports", "integer"}};
constexpr Query kProxyQueries[] = {{"path", "string"}};

constexpr std::string_view kPatchTypes[] = {
    "application/json-patch+json", "application/merge-patch+json",
    "application/strategic-merge-patch+json", "application/apply-patch+yaml"};
constexpr std::string_view kBodyTypes[] = {"*/*"};
constexpr std::string_view kAnswerTypes[] = {"application/json", "application/yaml"};
constexpr std::string_view kListTypes[] = {"application/json", "application/yaml",
                                           "application/json;stream=watch"};

// One operation in the words of the document.
struct Operation {
  std::string_view method, action;
  std::string id;
  Json kind;  // of its group, version and kind
  std::span<const Query> queries;
  std::string_view body;    // definition; empty without
  std::string_view answer;  // definition; empty for text
  std::span<const std::string_view> consumes = kBodyTypes;
  std::span<const std::string_view> produces = kAnswerTypes;
  std::string_view tag;
};

Json strings(std::span<const std::string_view> items) {
  Json out = Json::array();
  for (std::string_view item : items) out.push_back(item);
  return out;
}

Json parameter(OpenApi version, std::string_view name, std::string_view place,
               std::string_view type) {
  Json out = Json::object({{"name", name}, {"in", place}});
  if (place == "path") out.set("required", true);
  Json schema = Json::object({{"type", type}, {"uniqueItems", true}});
  if (version == OpenApi::v3) {
    out.set("schema", std::move(schema));
    return out;
  }
  out.set("type", type);
  out.set("uniqueItems", true);
  return out;
}

Json content(std::span<const std::string_view> types, std::string_view name) {
  Json out = Json::object();
  for (std::string_view type : types)
    out.set(type, Json::object({{"schema", schema_reference(OpenApi::v3, name)}}));
  return out;
}

Json operation_json(OpenApi version, const Operation& operation) {
  Json out = Json::object({{"operationId", operation.id}, {"tags", Json::array({operation.tag})}});
  Json parameters = Json::array();
  const bool v2 = version == OpenApi::v2;
  if (v2) out.set("consumes", strings(operation.consumes));
  if (v2) out.set("produces", strings(operation.produces));
  if (v2 && !operation.body.empty())
    parameters.push_back(Json::object({{"name", "body"},
                                       {"in", "body"},
                                       {"required", operation.method != "delete"},
                                       {"schema", schema_reference(version, operation.body)}}));
  for (const Query& query : operation.queries)
    parameters.push_back(parameter(version, query.name, "query", query.type));
  if (!parameters.empty()) out.set("parameters", std::move(parameters));
  if (!v2 && !operation.body.empty())
    out.set("requestBody",
            Json::object({{"content", content(operation.consumes, operation.body)}}));
  Json answer = Json::object({{"description", "OK"}});
  if (v2 && !operation.answer.empty())
    answer.set("schema", schema_reference(version, operation.answer));
  if (!v2 && !operation.answer.empty())
    answer.set("content", content(operation.produces, operation.answer));
  const std::string_view code = operation.action == "post" ? "201" : "200";
  out.set("responses", Json::object({{code, std::move(answer)}}));
  out.set("x-kubernetes-action", operation.action);
  out.set("x-kubernetes-group-version-kind", operation.kind);
  return out;
}

std::string capitalized(std::string_view text) {
  std::string out(text.substr(0, text.find('.')));
  if (!out.empty() && out[0] >= 'a' && out[0] <= 'z') out[0] = static_cast<char>(out[0] - 32);
  return out;
}

// "coreV1" is the tag, "CoreV1" the middle of operation ids.
std::string group_word(const ResourceInfo& resource) {
  return capitalized(resource.group.empty() ? "core" : resource.group) +
         capitalized(resource.version);
}

class Paths {
 public:
  Paths(OpenApi version, const ResourceInfo& resource, PathVisitor& visit)
      : version_(version), resource_(resource), visit_(visit), group_(group_word(resource)) {
    tag_ = group_;
    tag_[0] = static_cast<char>(tag_[0] + 32);
    scope_ = resource.namespaced ? "Namespaced" : "";
    const std::string base = resource.group.empty()
                                 ? base::concat("/api/", resource.version)
                                 : base::concat("/apis/", resource.group, "/", resource.version);
    all_ = base::concat(base, "/", resource.resource);
    collection_ = resource.namespaced
                      ? base::concat(base, "/namespaces/{namespace}/", resource.resource)
                      : all_;
    const TypeInfo* list = find_type(resource.group, resource.version, resource.list_kind);
    list_ = list == nullptr ? std::string_view() : list->name;
  }

  void visit_all() {
    if (resource_.namespaced && has("list")) {
      Json item = Json::object();
      add(item, list_operation("ForAllNamespaces", ""));
      visit_(all_, std::move(item));
    }
    visit_collection();
    visit_item();
    for (const SubresourceInfo& sub : resource_.subresources) visit_subresource(sub);
  }

 private:
  bool has(std::string_view verb) const {
    return std::find(resource_.verbs.begin(), resource_.verbs.end(), verb) != resource_.verbs.end();
  }
  void add(Json& item, const Operation& operation) {
    item.set(operation.method, operation_json(version_, operation));
  }
  Operation operation(std::string_view method, std::string_view action,
                      std::string_view word) const {
    Operation out;
    out.method = method;
    out.action = action;
    out.id = base::concat(word, group_, scope_, resource_.kind);
    out.kind = group_version_kind(resource_.group, resource_.version, resource_.kind);
    out.answer = resource_.type->name;
    out.tag = tag_;
    return out;
  }
  Operation list_operation(std::string_view suffix, std::string_view scope) const {
    Operation out = operation("get", "list", "list");
    out.id = base::concat("list", group_, scope, resource_.kind, suffix);
    out.queries = kListQueries;
    out.answer = list_;
    out.produces = kListTypes;
    return out;
  }
  Operation with_body(Operation out, std::span<const Query> queries) const {
    out.queries = queries;
    out.body = out.answer;
    return out;
  }
  Operation patch_operation(Operation out) const {
    out.queries = kPatchQueries;
    out.body = kPatch;
    out.consumes = kPatchTypes;
    return out;
  }
  Operation delete_operation(std::string_view action, std::string_view word) const {
    Operation out = operation("delete", action, word);
    out.queries = kDeleteQueries;
    out.body = kDeleteOptions;
    out.answer = kStatus;
    return out;
  }
  void set_parameters(Json& item, bool named, bool path) {
    Json parameters = Json::array();
    if (named) parameters.push_back(parameter(version_, "name", "path", "string"));
    if (resource_.namespaced)
      parameters.push_back(parameter(version_, "namespace", "path", "string"));
    if (path) parameters.push_back(parameter(version_, "path", "path", "string"));
    parameters.push_back(parameter(version_, "pretty", "query", "string"));
    item.set("parameters", std::move(parameters));
  }

  void visit_collection() {
    Json item = Json::object();
    if (has("list")) add(item, list_operation("", scope_));
    if (has("create")) add(item, with_body(operation("post", "post", "create"), kWriteQueries));
    if (has("deletecollection"))
      add(item, delete_operation("deletecollection", "deleteCollection"));
    set_parameters(item, false, false);
    visit_(collection_, std::move(item));
  }

  void visit_item() {
    if (!has("get")) return;
    Json item = Json::object();
    add(item, operation("get", "get", "read"));
    if (has("update")) add(item, with_body(operation("put", "put", "replace"), kWriteQueries));
    if (has("patch")) add(item, patch_operation(operation("patch", "patch", "patch")));
    if (has("delete")) add(item, delete_operation("delete", "delete"));
    set_parameters(item, true, false);
    visit_(collection_ + "/{name}", std::move(item));
  }

  void visit_subresource(const SubresourceInfo& sub) {
    const TypeInfo* body = find_type(sub.group, sub.version, sub.kind);
    const bool connects = base::ends_with(sub.kind, "Options");
    Json item = Json::object();
    for (std::string_view verb : sub.verbs) {
      Operation out = subresource_operation(sub, verb, body, connects);
      if (!out.method.empty()) add(item, out);
    }
    set_parameters(item, true, false);
    const std::string path = base::concat(collection_, "/{name}/", sub.name);
    if (sub.name == "proxy") {
      Json deeper = item;
      set_parameters(deeper, true, true);
      visit_(path, std::move(item));
      visit_(path + "/{path}", std::move(deeper));
      return;
    }
    visit_(path, std::move(item));
  }

  Operation subresource_operation(const SubresourceInfo& sub, std::string_view verb,
                                  const TypeInfo* body, bool connects) const {
    struct Verb {
      std::string_view verb, method, action, word;
    };
    constexpr Verb kVerbs[] = {{"get", "get", "get", "read"},
                               {"create", "post", "post", "create"},
                               {"update", "put", "put", "replace"},
                               {"patch", "patch", "patch", "patch"},
                               {"delete", "delete", "delete", "delete"}};
    const Verb* found = std::find_if(std::begin(kVerbs), std::end(kVerbs),
                                     [&](const Verb& v) { return v.verb == verb; });
    if (found == std::end(kVerbs)) return {};
    Operation out = operation(found->method, connects ? "connect" : found->action, found->word);
    out.id = connects ? base::concat("connect", group_, capitalized(found->method), scope_,
                                     resource_.kind, capitalized(sub.name))
                      : out.id + capitalized(sub.name);
    out.kind = group_version_kind(sub.group, sub.version, sub.kind);
    out.answer = body == nullptr || sub.name == "log" ? std::string_view() : body->name;
    if (sub.name == "log") out.queries = kLogQueries;
    if (sub.name == "exec" || sub.name == "attach") out.queries = kExecQueries;
    if (sub.name == "portforward") out.queries = kPortQueries;
    if (sub.name == "proxy") out.queries = kProxyQueries;
    if (connects || found->method == "get") return out;
    return found->method == "patch" ? patch_operation(out) : with_body(out, kWriteQueries);
  }

  static constexpr std::string_view kPatch = "io.k8s.apimachinery.pkg.apis.meta.v1.Patch";
  static constexpr std::string_view kStatus = "io.k8s.apimachinery.pkg.apis.meta.v1.Status";
  static constexpr std::string_view kDeleteOptions =
      "io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions";

  OpenApi version_;
  const ResourceInfo& resource_;
  PathVisitor& visit_;
  std::string group_, tag_;
  std::string_view scope_, list_;
  std::string all_, collection_;
};

}  // namespace

void for_each_path(OpenApi version, const ResourceInfo& resource, PathVisitor& visit) {
  Paths(version, resource, visit).visit_all();
}

}  // namespace skiff::api
