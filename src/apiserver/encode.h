// Objects as the members of lists, tables and watch events.
#pragma once

#include <skiff/api/kind.h>
#include <skiff/api/object.h>
#include <skiff/base/clock.h>
#include <skiff/base/shared_bytes.h>
#include <skiff/watch/hub.h>

#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "apiserver/respond.h"

namespace skiff::apiserver {

// Which part of an object a Table row carries.
enum class IncludeObject : unsigned char { none, metadata, object };

// Writes objects of one resource in one form. Immutable.
class ObjectEncoder {
 public:
  ObjectEncoder(const api::ResourceInfo& resource, Form form, IncludeObject include,
                const base::Clock& clock)
      : resource_(resource), form_(std::move(form)), include_(include), clock_(clock) {}

  const Form& form() const { return form_; }
  bool is_plain() const {
    return form_.shape == Form::Shape::object && resource_.group == resource_.storage_group;
  }
  // One object standing alone: itself, its metadata, or a Table of one row.
  void append_alone(const api::StoredObject& object, std::string& out) const;
  // As an element of a list, or a row of a table.
  void append_item(const api::StoredObject& object, std::string& out) const;
  // What comes before the first element, and after the last.
  std::string list_head(watch::Revision revision, std::string_view continue_token,
                        std::int64_t remaining) const;
  std::string_view list_tail() const { return "]}"; }

 private:
  void append_row(const api::StoredObject& object, std::string& out) const;
  void append_metadata(const api::StoredObject& object, std::string& out) const;
  const api::ResourceInfo& resource_;
  const Form form_;
  const IncludeObject include_;
  const base::Clock& clock_;
};

// The tree in the version that the resource shows. Stored text is ours: a defect reads as null.
codec::Json shown_tree(const api::ResourceInfo& resource, const api::StoredObject& object);

// Watch events that several watchers send: encoded by the first of them. Thread-safe.
class EventEncodings {
 public:
  // {"type":"<type>","object":…} and a line break, for `object` of `change`.
  base::SharedBytes get(const watch::ChangeRef& change, std::string_view type,
                        const api::StoredObject& object);

 private:
  struct Encoded {
    std::weak_ptr<const watch::Change> change;
    char type = 0;
    base::SharedBytes text;
  };
  std::mutex mutex_;
  std::deque<Encoded> encoded_;  // under mutex_
  std::size_t bytes_ = 0;        // under mutex_
};

}  // namespace skiff::apiserver
