#include "client/uplink/list_reader.h"

#include <skiff/base/strings.h>

#include "client/limits.h"
#include "client/uplink/answer.h"

namespace skiff::client {

namespace {

base::Status too_large() { return {base::Code::too_large, "the list is too large"}; }
bool is_space(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }

}  // namespace

// At '[' of the outermost object: does the key "items" stand before it?
bool ListReader::begins_items() const {
  std::string_view before = base::trim(head_);
  if (depth_ != 1 || before.empty() || before.back() != ':') return false;
  before.remove_suffix(1);
  return base::trim(before).ends_with("\"items\"");
}

base::Status ListReader::end_item() {
  auto object = stored_object(item_);
  if (!object) return object.status().with_context("an item of the list");
  list_.items.push_back(std::move(*object));
  item_.clear();
  if (item_.capacity() > kListHeadBytesMax) std::string().swap(item_);
  place_ = Place::items;
  return base::Status::ok();
}

base::Status ListReader::take(char c) {
  if (place_ == Place::items) {
    if (is_space(c) || c == ',') return base::Status::ok();
    if (c == '{') {
      place_ = Place::item;
    } else if (c == ']') {
      place_ = Place::tail;
    } else {
      return base::invalid_argument("an item of the list is no object");
    }
  }
  const bool in_item = place_ == Place::item;
  std::string& text = in_item ? item_ : head_;
  int& depth = in_item ? item_depth_ : depth_;
  if (text.size() >= (in_item ? kObjectBytesMax : kListHeadBytesMax)) return too_large();
  const bool items = !in_string_ && c == '[' && place_ == Place::head && begins_items();
  text += c;
  if (in_string_) {
    if (escaped_)
      escaped_ = false;
    else if (c == '\\')
      escaped_ = true;
    else if (c == '"')
      in_string_ = false;
    return base::Status::ok();
  }
  if (c == '"') in_string_ = true;
  if (c == '{' || c == '[') ++depth;
  if (c == '}' || c == ']') --depth;
  if (items) place_ = Place::items;
  return in_item && depth == 0 ? end_item() : base::Status::ok();
}

base::Status ListReader::feed(std::string_view piece) {
  bytes_ += piece.size();
  if (bytes_ > kListBytesMax) return too_large();
  for (char c : piece) SKIFF_RETURN_IF_ERROR(take(c));
  return base::Status::ok();
}

base::Result<ObjectList> ListReader::finish() {
  const auto head = codec::parse_json(head_);
  if (!head || !(*head)["items"].is_array())
    return base::invalid_argument("the master's answer is no list");
  SKIFF_ASSIGN_OR_RETURN(list_.revision,
                         revision_of((*head)["metadata"]["resourceVersion"].as_string()));
  return std::move(list_);
}

}  // namespace skiff::client
