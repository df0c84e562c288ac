#include <skiff/api/object.h>
#include <skiff/base/assert.h>
#include <skiff/base/strings.h>

#include "api/json_scan.h"
#include "api/limits.h"

#include <algorithm>
#include <utility>

namespace skiff::api {

using codec::Json;

namespace {

constexpr std::size_t kOffsetBytes = 4;

const Json& null_json() {
  static const Json null;
  return null;
}

void append_member(const codec::JsonMember& member, std::string& out) {
  codec::write_json_string(member.key, out);
  out += ':';
  codec::write_json(member.value, out);
}

bool is_stored_metadata(const codec::JsonMember& member) {
  // An explicit null means the same as absent, and the splice needs it for itself (see encode).
  return member.key != "resourceVersion" &&
         !(member.key == "creationTimestamp" && member.value.is_null());
}

// Members that come before resourceVersion, as upstream writes ObjectMeta.
bool is_before_revision(std::string_view key) {
  return key == "name" || key == "generateName" || key == "namespace" || key == "selfLink" ||
         key == "uid";
}

// Writes metadata and returns the offset at which `"resourceVersion":"…",` goes: always in front of
// a member, so that the comma at its end is right.
std::size_t append_metadata(const Json& metadata, std::string& out) {
  out += '{';
  const std::size_t begin = out.size();
  for (const auto& member : metadata.members()) {
    if (!is_stored_metadata(member) || !is_before_revision(member.key)) continue;
    append_member(member, out);
    out += ',';
  }
  const std::size_t middle = out.size();
  for (const auto& member : metadata.members()) {
    if (!is_stored_metadata(member) || is_before_revision(member.key)) continue;
    append_member(member, out);
    out += ',';
  }
  std::size_t splice = out.size() > middle ? middle : begin;
  if (out.size() == begin) {
    out += "\"creationTimestamp\":null";  // nothing else to stand in front of
  } else {
    out.pop_back();
  }
  out += '}';
  return splice;
}

std::uint32_t read_offset(std::string_view stored) {
  std::uint32_t offset = 0;
  for (std::size_t i = 0; i < kOffsetBytes; ++i)
    offset |= static_cast<std::uint32_t>(static_cast<unsigned char>(stored[i])) << (8 * i);
  return offset;
}

std::string_view text_of(const base::SharedBytes& stored) {
  std::string_view bytes = stored.view();
  return bytes.size() < kOffsetBytes ? std::string_view() : bytes.substr(kOffsetBytes);
}

// Never beyond the text, whatever the record says.
std::size_t splice_of(const base::SharedBytes& stored) {
  std::string_view bytes = stored.view();
  if (bytes.size() < kOffsetBytes) return 0;
  return std::min<std::size_t>(read_offset(bytes), bytes.size() - kOffsetBytes);
}

// A member of metadata as it stands in the text. Names, namespaces and uids that pass validation
// have nothing that JSON escapes.
std::string_view raw_metadata_string(const base::SharedBytes& stored, std::string_view member) {
  const std::string_view path[] = {"metadata", member};
  auto raw = scan_raw(text_of(stored), path, 2);
  if (!raw || raw->size() < 2 || raw->front() != '"') return {};
  return raw->substr(1, raw->size() - 2);
}

}  // namespace

std::string_view name_of(const Json& object) { return object["metadata"]["name"].as_string(); }
std::string_view namespace_of(const Json& object) {
  return object["metadata"]["namespace"].as_string();
}
std::string_view uid_of(const Json& object) { return object["metadata"]["uid"].as_string(); }
std::string_view resource_version_of(const Json& object) {
  return object["metadata"]["resourceVersion"].as_string();
}
std::string_view label(const Json& object, std::string_view key) {
  return object["metadata"]["labels"][key].as_string();
}
std::string_view annotation(const Json& object, std::string_view key) {
  return object["metadata"]["annotations"][key].as_string();
}
bool is_being_deleted(const Json& object) {
  return !object["metadata"]["deletionTimestamp"].is_null();
}

bool has_finalizer(const Json& object, std::string_view finalizer) {
  for (const auto& item : object["metadata"]["finalizers"].items())
    if (item.as_string() == finalizer) return true;
  return false;
}

const Json& controller_of(const Json& object) {
  for (const auto& owner : object["metadata"]["ownerReferences"].items())
    if (owner["controller"].as_bool()) return owner;
  return null_json();
}

std::string object_key(const Json& object) {
  std::string_view name_space = namespace_of(object);
  return name_space.empty() ? std::string(name_of(object))
                            : base::concat(name_space, "/", name_of(object));
}

const Json& find_condition(const Json& object, std::string_view type) {
  for (const auto& condition : object["status"]["conditions"].items())
    if (condition["type"].as_string() == type) return condition;
  return null_json();
}

base::SharedBytes StoredObject::encode(const Json& object) {
  SKIFF_ASSERT(object["metadata"].is_object());
  std::string out(kOffsetBytes, '\0');
  std::size_t splice = 0;
  out += '{';
  for (const auto& member : object.members()) {
    if (out.size() > kOffsetBytes + 1) out += ',';
    if (member.key == "metadata") {
      out += "\"metadata\":";
      splice = append_metadata(member.value, out) - kOffsetBytes;
    } else {
      append_member(member, out);
    }
  }
  out += '}';
  for (std::size_t i = 0; i < kOffsetBytes; ++i)
    out[i] = static_cast<char>((splice >> (8 * i)) & 0xff);
  return base::SharedBytes(out);
}

std::string_view StoredObject::text() const { return text_of(stored_); }

std::string_view StoredObject::json_before() const {
  return text_of(stored_).substr(0, splice_of(stored_));
}
std::string_view StoredObject::json_after() const {
  return text_of(stored_).substr(splice_of(stored_));
}

void StoredObject::append_json_text(std::string& out) const {
  const std::string revision = std::to_string(revision_);
  std::string_view before = json_before(), after = json_after();
  out.reserve(out.size() + before.size() + after.size() + revision.size() + 24);
  out.append(before);
  out.append("\"resourceVersion\":\"").append(revision).append("\",");
  out.append(after);
}

std::string StoredObject::to_json_text() const {
  std::string out;
  append_json_text(out);
  return out;
}

base::Result<Json> StoredObject::parse() const {
  codec::JsonParseOptions options;
  options.limits = {kStoredBytesMax, kStoredDepthMax, kStoredValuesMax};
  auto tree = codec::parse_json(text_of(stored_), options);
  if (!tree.is_ok() || !std::as_const(*tree)["metadata"].is_object())
    return base::Status(
        base::Code::data_loss,
        tree.is_ok() ? "a stored object has no metadata"
                     : base::concat("a stored object is damaged: ", tree.status().message()));
  Json object = std::move(tree).value();
  Json& metadata = object["metadata"];
  if (const Json* created = metadata.find("creationTimestamp");
      created != nullptr && created->is_null())
    metadata.erase("creationTimestamp");
  metadata.set("resourceVersion", std::to_string(revision_));
  return object;
}

std::string_view StoredObject::name() const { return raw_metadata_string(stored_, "name"); }
std::string_view StoredObject::namespace_name() const {
  return raw_metadata_string(stored_, "namespace");
}
std::string_view StoredObject::uid() const { return raw_metadata_string(stored_, "uid"); }

}  // namespace skiff::api
