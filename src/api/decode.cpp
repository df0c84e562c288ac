#include <skiff/api/defaults.h>
#include <skiff/api/quantity.h>
#include <skiff/base/clock.h>
#include <skiff/base/strings.h>
#include <skiff/codec/base64.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <set>

#include "api/limits.h"
#include "api/type_names.h"

namespace skiff::api {

namespace {

// The word that Go's decoder has for a JSON value.
std::string value_word(const codec::Json& value, bool with_number) {
  if (value.is_bool()) return "bool";
  if (value.is_string()) return "string";
  if (value.is_array()) return "array";
  if (value.is_object()) return "object";
  if (!value.is_number()) return "null";
  return with_number ? base::concat("number ", codec::write_json(value)) : std::string("number");
}

// Where Go's decoder sees the first defect of base64 text.
std::size_t base64_defect_offset(std::string_view text) {
  std::size_t digits = 0, group_start = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '\r' || c == '\n') continue;
    const bool digit = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
                       c == '+' || c == '/';
    if (!digit && !(c == '=' && digits % 4 >= 2)) return i;
    if (digits % 4 == 0) group_start = i;
    ++digits;
  }
  return group_start;
}

codec::Json zero_of(JsonType type) {
  switch (type) {
    case JsonType::boolean: return false;
    case JsonType::integer:
    case JsonType::number:
    case JsonType::int_or_string: return 0;
    case JsonType::string:
    case JsonType::bytes: return "";
    case JsonType::quantity: return "0";
    case JsonType::object: return codec::Json::object();
    default: return nullptr;
  }
}

// What Go's encoder leaves out: zero values of fields that are neither pointers nor always written.
bool is_left_out(const FieldInfo& field, const codec::Json& value) {
  if (value.is_null()) return true;
  if (field.is_optional || field.is_kept) return false;
  if (field.is_list || field.is_map) return value.empty();
  switch (field.type) {
    case JsonType::boolean: return !value.as_bool();
    case JsonType::integer:
    case JsonType::number: return value.is_number() && value.as_double() == 0;
    case JsonType::string:
    case JsonType::bytes: return value.empty();
    default: return false;
  }
}

class Decoder {
 public:
  Decoder(std::vector<std::string>* unknown, const std::vector<std::string>& duplicates)
      : unknown_(unknown), duplicates_(duplicates.begin(), duplicates.end()) {}

  base::Status decode_object(const TypeInfo& type, codec::Json& value) {
    if (!value.is_object()) return mismatch(value_word(value, false), go_name(type));
    const std::string_view outer_struct = struct_name_;
    struct_name_ = short_name(type);
    codec::Json::Object& members = value.mutable_members();
    std::size_t kept = 0;
    for (std::size_t i = 0; i < members.size(); ++i) {
      const FieldInfo* field = find_field(type, members[i].key);
      if (field == nullptr) {
        note("unknown field ", base::concat(path_, path_.empty() ? "" : ".", members[i].key));
        continue;
      }
      if (members[i].value.is_null()) continue;
      SKIFF_RETURN_IF_ERROR(decode_member(*field, members[i].value));
      if (is_left_out(*field, members[i].value)) continue;
      if (kept != i) members[kept] = std::move(members[i]);
      ++kept;
    }
    members.resize(kept);
    struct_name_ = outer_struct;
    return base::Status::ok();
  }

 private:
  base::Status decode_member(const FieldInfo& field, codec::Json& value) {
    fields_.push_back(field.name);
    const std::size_t length = path_.size();
    if (!path_.empty()) path_ += '.';
    path_ += field.name;
    note_duplicate();
    base::Status status = decode_field(field, value);
    path_.resize(length);
    fields_.pop_back();
    return status;
  }

  base::Status decode_field(const FieldInfo& field, codec::Json& value) {
    if (field.is_map) return decode_map(field, value);
    if (field.is_list) return decode_list(field, value);
    return decode_single(field, value);
  }

  base::Status decode_map(const FieldInfo& field, codec::Json& value) {
    if (!value.is_object()) return mismatch(value_word(value, false), go_map_name(field));
    for (codec::JsonMember& member : value.mutable_members()) {
      const std::size_t length = path_.size();
      path_.append(1, '.').append(member.key);
      note_duplicate();
      if (field.is_list) {
        if (!member.value.is_null()) SKIFF_RETURN_IF_ERROR(decode_list(field, member.value));
      } else {
        SKIFF_RETURN_IF_ERROR(decode_element(field, member.value));
      }
      path_.resize(length);
    }
    return base::Status::ok();
  }

  base::Status decode_list(const FieldInfo& field, codec::Json& value) {
    if (!value.is_array()) return mismatch(value_word(value, false), go_list_name(field));
    std::size_t index = 0;
    for (codec::Json& item : value.mutable_items()) {
      const std::size_t length = path_.size();
      path_ += base::concat("[", index++, "]");
      SKIFF_RETURN_IF_ERROR(decode_element(field, item));
      path_.resize(length);
    }
    return base::Status::ok();
  }

  base::Status decode_element(const FieldInfo& field, codec::Json& value) {
    if (value.is_null()) {
      value = zero_of(field.type);
      return base::Status::ok();
    }
    return decode_single(field, value);
  }

  base::Status decode_single(const FieldInfo& field, codec::Json& value) {
    switch (field.type) {
      case JsonType::object: return decode_object(*field.object, value);
      case JsonType::boolean:
        return value.is_bool() ? base::Status::ok() : mismatch(field, value, false);
      case JsonType::string:
        return value.is_string() ? base::Status::ok() : mismatch(field, value, false);
      case JsonType::number:
        return value.is_number() ? base::Status::ok() : mismatch(field, value, false);
      case JsonType::integer: return decode_integer(field, value);
      case JsonType::int_or_string: return decode_int_or_string(value);
      case JsonType::quantity: return decode_quantity(value);
      case JsonType::time: return decode_time(value, false);
      case JsonType::micro_time: return decode_time(value, true);
      case JsonType::bytes: return decode_bytes(field, value);
      default: return base::Status::ok();
    }
  }

  base::Status decode_integer(const FieldInfo& field, const codec::Json& value) {
    if (value.is_int() && (field.integer_bits == 64 || fits_int32(value.as_int())))
      return base::Status::ok();
    return mismatch(field, value, true);
  }

  base::Status decode_int_or_string(const codec::Json& value) {
    if (value.is_string()) return base::Status::ok();
    if (value.is_int() && fits_int32(value.as_int())) return base::Status::ok();
    return value_error(value, "int32");
  }

  base::Status decode_quantity(codec::Json& value) {
    const std::string text =
        value.is_string() ? std::string(value.as_string()) : codec::write_json(value);
    SKIFF_ASSIGN_OR_RETURN(Quantity quantity, Quantity::parse(text));
    value = quantity.to_string();
    return base::Status::ok();
  }

  base::Status decode_time(codec::Json& value, bool micro) {
    if (!value.is_string()) return value_error(value, "string");
    auto time = base::parse_rfc3339(value.as_string());
    if (!time)
      return base::invalid_argument(base::concat("parsing time ", base::quote(value.as_string()),
                                                 " as \"2006-01-02T15:04:05",
                                                 micro ? ".000000" : "", "Z07:00\": cannot parse ",
                                                 base::quote(value.as_string()), " as \"2006\""));
    value = micro ? base::format_rfc3339_micro(*time) : base::format_rfc3339(*time);
    return base::Status::ok();
  }

  base::Status decode_bytes(const FieldInfo& field, codec::Json& value) {
    if (!value.is_string()) return mismatch(field, value, false);
    auto bytes = codec::base64_decode(value.as_string());
    if (!bytes)
      return base::invalid_argument(base::concat("illegal base64 data at input byte ",
                                                 base64_defect_offset(value.as_string())));
    value = codec::base64_encode(*bytes);
    return base::Status::ok();
  }

  static bool fits_int32(std::int64_t value) {
    return value >= std::numeric_limits<std::int32_t>::min() &&
           value <= std::numeric_limits<std::int32_t>::max();
  }

  base::Status mismatch(const FieldInfo& field, const codec::Json& value, bool with_number) const {
    return mismatch(value_word(value, with_number), go_element_name(field));
  }
  base::Status mismatch(const std::string& word, const std::string& go_type) const {
    if (fields_.empty())
      return base::invalid_argument(
          base::concat("json: cannot unmarshal ", word, " into Go value of type ", go_type));
    std::string path;
    for (std::string_view field : fields_) path.append(path.empty() ? "" : ".").append(field);
    return base::invalid_argument(base::concat("json: cannot unmarshal ", word,
                                               " into Go struct field ", struct_name_, ".", path,
                                               " of type ", go_type));
  }
  // Types with a decoder of their own know nothing of the field they are in.
  static base::Status value_error(const codec::Json& value, std::string_view go_type) {
    return base::invalid_argument(base::concat("json: cannot unmarshal ",
                                               value_word(value, go_type == "int32"),
                                               " into Go value of type ", go_type));
  }

  void note_duplicate() {
    if (!duplicates_.empty() && duplicates_.count(path_) != 0) note("duplicate field ", path_);
  }
  void note(std::string_view what, std::string_view path) {
    if (unknown_ == nullptr || unknown_->size() >= kUnknownFieldsMax) return;
    unknown_->push_back(base::concat(what, base::quote(path)));
  }

  std::vector<std::string>* unknown_;
  const std::set<std::string, std::less<>> duplicates_;
  std::vector<std::string_view> fields_;  // as Go's error context has them: without indexes
  std::string_view struct_name_;          // the type that has the innermost field
  std::string path_;                      // "spec.containers[0]", for unknown fields
};

}  // namespace

base::Status decode_object(const TypeInfo& type, codec::Json& object,
                           std::vector<std::string>* unknown,
                           const std::vector<std::string>& duplicates) {
  return Decoder(unknown, duplicates).decode_object(type, object);
}

}  // namespace skiff::api
