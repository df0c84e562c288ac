// Reads a List object as it arrives, one item at a time, so that a long list is never there twice.
#pragma once

#include <skiff/api/object.h>
#include <skiff/base/result.h>
#include <skiff/client/client.h>

#include <string>
#include <string_view>

namespace skiff::client {

// Thread-compatible.
class ListReader {
 public:
  // Errors: invalid_argument for what is no list, too_large. Nothing is read after an error.
  base::Status feed(std::string_view piece);
  // The list, when its end is there.
  base::Result<ObjectList> finish();

 private:
  base::Status take(char c);
  base::Status end_item();
  bool begins_items() const;

  enum class Place : unsigned char { head, items, item, tail };
  Place place_ = Place::head;
  bool in_string_ = false, escaped_ = false;
  int depth_ = 0;       // open brackets outside of items
  int item_depth_ = 0;  // open brackets of the item
  std::size_t bytes_ = 0;
  std::string head_;  // everything but the items: a list without any
  std::string item_;
  ObjectList list_;
};

}  // namespace skiff::client
