#include "apiserver/encode.h"

#include <skiff/api/table.h>
#include <skiff/base/strings.h>

#include "apiserver/limits.h"

namespace skiff::apiserver {

using codec::Json;

namespace {

std::string meta_version(const Form& form) {
  return base::concat("meta.k8s.io/", form.meta_version);
}

std::string api_version(const api::ResourceInfo& resource) {
  return resource.group.empty() ? std::string(resource.version)
                                : base::concat(resource.group, "/", resource.version);
}

}  // namespace

Json shown_tree(const api::ResourceInfo& resource, const api::StoredObject& object) {
  if (auto converted = registry::convert_for_read(resource, object)) return std::move(*converted);
  auto tree = object.parse();
  return tree.is_ok() ? std::move(*tree) : Json();
}

void ObjectEncoder::append_metadata(const api::StoredObject& object, std::string& out) const {
  const Json tree = shown_tree(resource_, object);
  out += base::concat("{\"kind\":\"PartialObjectMetadata\",\"apiVersion\":\"", meta_version(form_),
                      "\",\"metadata\":");
  codec::write_json(tree["metadata"], out);
  out += '}';
}

void ObjectEncoder::append_row(const api::StoredObject& object, std::string& out) const {
  const Json tree = shown_tree(resource_, object);
  out += "{\"cells\":";
  codec::write_json(api::table_cells(resource_, tree, clock_.now()), out);
  if (include_ == IncludeObject::metadata) {
    out += base::concat(",\"object\":{\"kind\":\"PartialObjectMetadata\",\"apiVersion\":\"",
                        meta_version(form_), "\",\"metadata\":");
    codec::write_json(tree["metadata"], out);
    out += '}';
  } else if (include_ == IncludeObject::object) {
    out += ",\"object\":";
    codec::write_json(tree, out);
  }
  out += '}';
}

void ObjectEncoder::append_item(const api::StoredObject& object, std::string& out) const {
  switch (form_.shape) {
    case Form::Shape::table: append_row(object, out); return;
    case Form::Shape::partial_metadata:
    case Form::Shape::partial_metadata_list: append_metadata(object, out); return;
    case Form::Shape::object: break;
  }
  if (is_plain()) {
    object.append_json_text(out);
  } else {
    codec::write_json(shown_tree(resource_, object), out);
  }
}

void ObjectEncoder::append_alone(const api::StoredObject& object, std::string& out) const {
  if (form_.shape != Form::Shape::table) {
    append_item(object, out);
    return;
  }
  out += list_head(object.revision(), {}, 0);
  append_row(object, out);
  out += list_tail();
}

std::string ObjectEncoder::list_head(watch::Revision revision, std::string_view continue_token,
                                     std::int64_t remaining) const {
  std::string head;
  switch (form_.shape) {
    case Form::Shape::table:
      head = base::concat("{\"kind\":\"Table\",\"apiVersion\":\"", meta_version(form_), "\"");
      break;
    case Form::Shape::partial_metadata:
    case Form::Shape::partial_metadata_list:
      head = base::concat("{\"kind\":\"PartialObjectMetadataList\",\"apiVersion\":\"",
                          meta_version(form_), "\"");
      break;
    case Form::Shape::object:
      head = base::concat("{\"kind\":\"", resource_.list_kind, "\",\"apiVersion\":\"",
                          api_version(resource_), "\"");
  }
  head += base::concat(",\"metadata\":{\"resourceVersion\":\"", revision, "\"");
  if (!continue_token.empty()) head += base::concat(",\"continue\":\"", continue_token, "\"");
  if (remaining > 0) head += base::concat(",\"remainingItemCount\":", remaining);
  head += '}';
  if (form_.shape == Form::Shape::table) {
    head += ",\"columnDefinitions\":";
    codec::write_json(api::table_column_definitions(resource_), head);
    head += ",\"rows\":[";
  } else {
    head += ",\"items\":[";
  }
  return head;
}

base::SharedBytes EventEncodings::get(const watch::ChangeRef& change, std::string_view type,
                                      const api::StoredObject& object) {
  {
    std::lock_guard lock(mutex_);
    for (const auto& encoded : encoded_) {
      if (encoded.type == type[0] && encoded.change.lock() == change) return encoded.text;
    }
  }
  std::string text = base::concat("{\"type\":\"", type, "\",\"object\":");
  object.append_json_text(text);
  text += "}\n";
  base::SharedBytes bytes{std::string_view(text)};
  std::lock_guard lock(mutex_);
  bytes_ += bytes.size();
  encoded_.push_back({change, type[0], bytes});
  while (encoded_.size() > kSharedEventsMax || bytes_ > kSharedEventBytesMax) {
    bytes_ -= encoded_.front().text.size();
    encoded_.pop_front();
  }
  return bytes;
}

}  // namespace skiff::apiserver
