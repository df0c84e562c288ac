#include <skiff/api/patch.h>
#include <skiff/base/strings.h>

#include "api/limits.h"

#include <optional>

namespace skiff::api {

using base::concat;
using codec::Json;

namespace {

// What kube-apiserver answers for every operation that fails.
ApiError rejected() {
  ApiError error;
  error.reason = Reason::invalid;
  error.code = default_http_code(error.reason);
  error.message = "the server rejected our request due to an error in our request";
  return error;
}

std::string_view go_kind_of(const Json& value) {
  if (value.is_object()) return "object";
  if (value.is_array()) return "array";
  if (value.is_string()) return "string";
  return value.is_bool() ? "bool" : "number";
}

std::string decode_token(std::string_view token) {
  std::string text;
  for (std::size_t i = 0; i < token.size(); ++i) {
    const char next = i + 1 < token.size() ? token[i + 1] : '\0';
    if (token[i] == '~' && (next == '0' || next == '1')) {
      text += next == '0' ? '~' : '/';
      ++i;
    } else {
      text += token[i];
    }
  }
  return text;
}

// The container that a pointer's last token is in.
struct Place {
  Json* container = nullptr;
  std::string key;
};

// Applies operations to a document, one after the other. Every failure is one answer.
class JsonPatcher {
 public:
  explicit JsonPatcher(Json& document) : document_(document) {}

  bool apply(const Json& operation) {
    const Json& path = operation["path"];
    if (!path.is_string()) return false;
    std::string_view op = operation["op"].as_string();
    if (op == "add") return add(path.as_string(), operation["value"]);
    if (op == "remove") return remove(path.as_string(), nullptr);
    if (op == "replace") return replace(path.as_string(), operation["value"]);
    if (op == "test") return test(path.as_string(), operation["value"]);
    if (op != "move" && op != "copy") return false;
    const Json& from = operation["from"];
    if (!from.is_string()) return false;
    return op == "move" ? move(from.as_string(), path.as_string())
                        : copy(from.as_string(), path.as_string());
  }

 private:
  std::optional<Place> locate(std::string_view pointer) {
    if (pointer.empty() || pointer[0] != '/') return std::nullopt;
    auto tokens = base::split(pointer.substr(1), '/');
    Json* at = &document_;
    for (std::size_t i = 0; i + 1 < tokens.size(); ++i) {
      at = child({at, decode_token(tokens[i])});
      if (at == nullptr) return std::nullopt;
    }
    if (!at->is_object() && !at->is_array()) return std::nullopt;
    return Place{at, decode_token(tokens.back())};
  }

  static Json* child(const Place& place) {
    if (place.container->is_object()) return place.container->find(place.key);
    if (!place.container->is_array()) return nullptr;
    auto index = base::parse_int(place.key);
    if (!index || *index < 0 || static_cast<std::size_t>(*index) >= place.container->size())
      return nullptr;
    return &place.container->mutable_items()[static_cast<std::size_t>(*index)];
  }

  // An index of a list of `size` places; negative ones count from its end, as upstream's do.
  static std::optional<std::size_t> index_of(const std::string& key, std::size_t size) {
    auto index = base::parse_int(key);
    if (!index) return std::nullopt;
    const auto places = static_cast<std::int64_t>(size);
    if (*index >= places || *index < -places) return std::nullopt;
    return static_cast<std::size_t>(*index < 0 ? *index + places : *index);
  }

  static bool insert(const Place& place, Json value) {
    if (place.container->is_object()) {
      place.container->set(place.key, std::move(value));
      return true;
    }
    auto& items = place.container->mutable_items();
    if (place.key == "-") {
      items.push_back(std::move(value));
      return true;
    }
    auto index = index_of(place.key, items.size() + 1);
    if (!index) return false;
    items.insert(items.begin() + static_cast<std::ptrdiff_t>(*index), std::move(value));
    return true;
  }

  bool add(std::string_view path, Json value) {
    auto place = locate(path);
    return place && insert(*place, std::move(value));
  }

  bool remove(std::string_view path, Json* removed) {
    auto place = locate(path);
    if (!place) return false;
    if (place->container->is_object()) {
      Json* value = place->container->find(place->key);
      if (value == nullptr) return false;
      if (removed != nullptr) *removed = std::move(*value);
      return place->container->erase(place->key);
    }
    auto& items = place->container->mutable_items();
    auto index = index_of(place->key, items.size());
    if (!index) return false;
    auto item = items.begin() + static_cast<std::ptrdiff_t>(*index);
    if (removed != nullptr) *removed = std::move(*item);
    items.erase(item);
    return true;
  }

  bool replace(std::string_view path, const Json& value) {
    auto place = locate(path);
    Json* target = place ? child(*place) : nullptr;
    if (target == nullptr) return false;
    *target = value;
    return true;
  }

  bool test(std::string_view path, const Json& value) {
    auto place = locate(path);
    if (!place) return false;
    const Json* target = child(*place);
    return target == nullptr ? value.is_null() && place->container->is_object() : *target == value;
  }

  bool move(std::string_view from, std::string_view path) {
    if (base::starts_with(path, concat(from, "/"))) return false;  // into itself
    Json value;
    return remove(from, &value) && add(path, std::move(value));
  }

  bool copy(std::string_view from, std::string_view path) {
    auto place = locate(from);
    const Json* source = place ? child(*place) : nullptr;
    if (source == nullptr) return false;
    copied_bytes_ += codec::write_json(*source).size();
    if (copied_bytes_ > kJsonPatchCopyBytesMax) return false;
    Json value = *source;
    return add(path, std::move(value));
  }

  Json& document_;
  std::size_t copied_bytes_ = 0;
};

}  // namespace

PatchResult apply_json_patch(const Json& object, const Json& patch) {
  if (!patch.is_array())
    return bad_request_error(concat("json: cannot unmarshal ", go_kind_of(patch),
                                    " into Go value of type jsonpatch.Patch"));
  if (patch.size() > kJsonPatchOperationsMax)
    return too_large_error(concat("The allowed maximum operations in a JSON patch is ",
                                  kJsonPatchOperationsMax, ", got ", patch.size()));
  for (const auto& operation : patch.items())
    if (!operation.is_object())
      return bad_request_error(concat("json: cannot unmarshal ", go_kind_of(operation),
                                      " into Go value of type jsonpatch.Operation"));
  Json document = object;
  JsonPatcher patcher(document);
  for (const auto& operation : patch.items())
    if (!patcher.apply(operation)) return rejected();
  return document;
}

}  // namespace skiff::api
