#include <skiff/api/defaults.h>
#include <skiff/base/clock.h>
#include <skiff/base/strings.h>
#include <skiff/codec/base64.h>
#include <skiff/codec/protobuf.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "api/limits.h"
#include "api/protobuf_format.h"

namespace skiff::api {

namespace {

using codec::Json;
using codec::ProtobufField;
using codec::ProtobufReader;
using Wire = ProtobufField::Wire;

// The latest second that a four-digit year has, and the earliest.
constexpr std::int64_t kSecondsMax = 253'402'300'799, kSecondsMin = -62'135'596'800;

base::Status wrong_wire(std::string_view type, std::string_view field) {
  return base::invalid_argument(
      base::concat("proto: wrong wireType for field ", field, " of ", type));
}

// Where the fields of a type stand when JSON leaves out the messages around them.
struct Place {
  std::array<std::uint32_t, 2> outer{};
  std::size_t depth = 0;
};

class MessageReader {
 public:
  base::Status read_object(const TypeInfo& type, std::string_view message, Json& out) {
    SKIFF_RETURN_IF_ERROR(read_fields(type, Place{}, message, out));
    for (const FieldInfo& field : type.fields) {
      Json* map = field.is_map ? out.find(field.name) : nullptr;
      if (map != nullptr) order_map(*map);
    }
    return base::Status::ok();
  }

 private:
  // Counts what is built and how deep it nests.
  class Level {
   public:
    explicit Level(MessageReader& reader) : reader_(reader) { ++reader_.depth_; }
    ~Level() { --reader_.depth_; }

   private:
    MessageReader& reader_;
  };

  base::Status count_value() {
    if (++values_ > codec::JsonLimits{}.values_max)
      return {base::Code::too_large, "protobuf message has too many values"};
    if (depth_ > kProtobufDepthMax)
      return {base::Code::too_large, "protobuf message nests too deeply"};
    return base::Status::ok();
  }

  base::Status read_fields(const TypeInfo& type, Place place, std::string_view message, Json& out) {
    Level level(*this);
    SKIFF_RETURN_IF_ERROR(count_value());
    ProtobufReader reader(message);
    while (!reader.at_end()) {
      SKIFF_ASSIGN_OR_RETURN(const ProtobufField wire, reader.next());
      bool inner = false;
      const FieldInfo* field = find_number(type, place, wire.number, inner);
      if (field == nullptr) continue;
      if (inner) {
        if (wire.wire != Wire::bytes) return wrong_wire(type.name, field->name);
        Place next = place;
        next.outer[next.depth++] = wire.number;
        SKIFF_RETURN_IF_ERROR(read_fields(type, next, wire.bytes, out));
        continue;
      }
      base::Status status = read_field(*field, wire, out);
      if (!status) return status.with_context(field->name);
    }
    return base::Status::ok();
  }

  // `inner` tells that the number is a message that only protobuf has.
  static const FieldInfo* find_number(const TypeInfo& type, const Place& place,
                                      std::uint32_t number, bool& inner) {
    for (const FieldInfo& field : type.fields) {
      bool here = true;
      for (std::size_t i = 0; i < place.depth; ++i)
        here &= field.protobuf_outer[i] == place.outer[i];
      if (!here || field.protobuf_number == 0) continue;
      const std::uint32_t next = place.depth < 2 ? field.protobuf_outer[place.depth] : 0;
      if (next == 0 ? field.protobuf_number == number : next == number) {
        inner = next != 0;
        return &field;
      }
    }
    return nullptr;
  }

  base::Status read_field(const FieldInfo& field, const ProtobufField& wire, Json& out) {
    SKIFF_RETURN_IF_ERROR(count_value());
    if (field.is_map) return read_map_entry(field, wire, out);
    if (!field.is_list) {
      Json value;
      SKIFF_RETURN_IF_ERROR(read_value(field, wire, value));
      if (!value.is_null()) out.set(field.name, std::move(value));
      return base::Status::ok();
    }
    Json* found = out.find(field.name);
    Json& list = found != nullptr ? *found : out.set(field.name, Json::array());
    return read_list_item(field, wire, list);
  }

  base::Status read_list_item(const FieldInfo& field, const ProtobufField& wire, Json& list) {
    const bool number = field.type == JsonType::integer || field.type == JsonType::boolean;
    if (number && wire.wire == Wire::bytes) {
      ProtobufReader packed(wire.bytes);
      while (!packed.at_end()) {
        SKIFF_RETURN_IF_ERROR(count_value());
        ProtobufField item;
        SKIFF_ASSIGN_OR_RETURN(item.value, packed.next_varint());
        Json value;
        SKIFF_RETURN_IF_ERROR(read_value(field, item, value));
        list.push_back(std::move(value));
      }
      return base::Status::ok();
    }
    Json value;
    SKIFF_RETURN_IF_ERROR(read_value(field, wire, value));
    list.push_back(std::move(value));
    return base::Status::ok();
  }

  base::Status read_map_entry(const FieldInfo& field, const ProtobufField& wire, Json& out) {
    if (wire.wire != Wire::bytes) return wrong_wire("map", field.name);
    Json* found = out.find(field.name);
    Json& map = found != nullptr ? *found : out.set(field.name, Json::object());
    std::string key;
    ProtobufField value_wire;
    value_wire.wire = default_wire(field);
    ProtobufReader entry(wire.bytes);
    while (!entry.at_end()) {
      SKIFF_ASSIGN_OR_RETURN(const ProtobufField part, entry.next());
      if (part.number == 1 && part.wire == Wire::bytes) key = part.bytes;
      if (part.number == 2) value_wire = part;
    }
    Json value;
    if (field.is_list) {
      if (value_wire.wire != Wire::bytes) return wrong_wire("map", field.name);
      value = Json::array();
      SKIFF_RETURN_IF_ERROR(read_wrapped_list(field, value_wire.bytes, value));
    } else {
      SKIFF_RETURN_IF_ERROR(read_value(field, value_wire, value));
    }
    map.mutable_members().push_back({std::move(key), std::move(value)});
    return base::Status::ok();
  }

  // A message whose field 1 repeats the elements (ExtraValue).
  base::Status read_wrapped_list(const FieldInfo& field, std::string_view message, Json& list) {
    ProtobufReader reader(message);
    while (!reader.at_end()) {
      SKIFF_ASSIGN_OR_RETURN(const ProtobufField part, reader.next());
      if (part.number != 1) continue;
      SKIFF_RETURN_IF_ERROR(count_value());
      SKIFF_RETURN_IF_ERROR(read_list_item(field, part, list));
    }
    return base::Status::ok();
  }

  // A repeated key replaces what was there. Done once per map, so that a hostile one costs no
  // quadratic time.
  static void order_map(Json& map) {
    auto& members = map.mutable_members();
    auto before = [](const codec::JsonMember& a, const codec::JsonMember& b) {
      return a.key < b.key;
    };
    auto not_before = [&](const auto& a, const auto& b) { return !before(a, b); };
    if (std::adjacent_find(members.begin(), members.end(), not_before) == members.end()) return;
    std::stable_sort(members.begin(), members.end(), before);
    std::size_t kept = 0;
    for (std::size_t i = 0; i < members.size(); ++i) {
      if (i + 1 < members.size() && members[i].key == members[i + 1].key) continue;
      if (kept != i) members[kept] = std::move(members[i]);
      ++kept;
    }
    members.resize(kept);
  }

  static Wire default_wire(const FieldInfo& field) {
    const bool number = field.type == JsonType::integer || field.type == JsonType::boolean;
    return number && !field.is_list ? Wire::varint : Wire::bytes;
  }

  base::Status read_value(const FieldInfo& field, const ProtobufField& wire, Json& out) {
    switch (field.type) {
      case JsonType::boolean:
      case JsonType::integer:
        if (wire.wire != Wire::varint) return wrong_wire("a number", field.name);
        if (field.type == JsonType::boolean)
          out = wire.value != 0;
        else if (field.integer_bits == 32)
          out = static_cast<std::int32_t>(wire.value);
        else
          out = static_cast<long long>(wire.value);
        return base::Status::ok();
      case JsonType::number: return read_double(field, wire, out);
      default: break;
    }
    if (wire.wire != Wire::bytes) return wrong_wire("a message", field.name);
    switch (field.type) {
      case JsonType::string: out = wire.bytes; return base::Status::ok();
      case JsonType::bytes: out = codec::base64_encode(wire.bytes); return base::Status::ok();
      case JsonType::object:
        out = Json::object();
        return read_object(*field.object, wire.bytes, out);
      case JsonType::quantity: return read_quantity(wire.bytes, out);
      case JsonType::time: return read_time(wire.bytes, false, out);
      case JsonType::micro_time: return read_time(wire.bytes, true, out);
      case JsonType::int_or_string: return read_int_or_string(wire.bytes, out);
      case JsonType::raw: return read_raw(wire.bytes, out);
      case JsonType::schema_or_array:
      case JsonType::schema_or_bool:
      case JsonType::schema_or_strings: return read_schema_or(field.type, wire.bytes, out);
      default: return base::internal_error("a field type that protobuf does not have");
    }
  }

  static base::Status read_double(const FieldInfo& field, const ProtobufField& wire, Json& out) {
    if (wire.wire != Wire::fixed64) return wrong_wire("a number", field.name);
    double value = 0;
    std::memcpy(&value, &wire.value, sizeof value);
    out = value;
    return base::Status::ok();
  }

  static base::Status read_quantity(std::string_view message, Json& out) {
    out = "0";
    ProtobufReader reader(message);
    while (!reader.at_end()) {
      SKIFF_ASSIGN_OR_RETURN(const ProtobufField part, reader.next());
      if (part.number == 1 && part.wire == Wire::bytes) out = part.bytes;
    }
    return base::Status::ok();
  }

  // An empty message is the zero time, which is null.
  static base::Status read_time(std::string_view message, bool micro, Json& out) {
    if (message.empty()) return base::Status::ok();
    std::int64_t seconds = 0, nanoseconds = 0;
    ProtobufReader reader(message);
    while (!reader.at_end()) {
      SKIFF_ASSIGN_OR_RETURN(const ProtobufField part, reader.next());
      if (part.wire != Wire::varint) continue;
      if (part.number == 1) seconds = static_cast<std::int64_t>(part.value);
      if (part.number == 2) nanoseconds = static_cast<std::int32_t>(part.value);
    }
    const bool valid = seconds >= kSecondsMin && seconds <= kSecondsMax && nanoseconds >= 0 &&
                       nanoseconds < 1'000'000'000;
    if (!valid) return base::invalid_argument("proto: time out of range");
    if (seconds < kTimeSecondsMin || seconds > kTimeSecondsMax)
      return base::invalid_argument("times before 1678 and after 2262 are not supported");
    const base::WallTime time{seconds * 1'000'000'000 + (micro ? nanoseconds : 0)};
    out = micro ? base::format_rfc3339_micro(time) : base::format_rfc3339(time);
    return base::Status::ok();
  }

  static base::Status read_int_or_string(std::string_view message, Json& out) {
    bool is_string = false;
    std::int32_t number = 0;
    std::string_view text;
    ProtobufReader reader(message);
    while (!reader.at_end()) {
      SKIFF_ASSIGN_OR_RETURN(const ProtobufField part, reader.next());
      if (part.number == 1 && part.wire == Wire::varint) is_string = part.value == 1;
      if (part.number == 2 && part.wire == Wire::varint)
        number = static_cast<std::int32_t>(part.value);
      if (part.number == 3 && part.wire == Wire::bytes) text = part.bytes;
    }
    if (is_string)
      out = text;
    else
      out = number;
    return base::Status::ok();
  }

  base::Status read_raw(std::string_view message, Json& out) {
    ProtobufReader reader(message);
    while (!reader.at_end()) {
      SKIFF_ASSIGN_OR_RETURN(const ProtobufField part, reader.next());
      if (part.number != 1 || part.wire != Wire::bytes || part.bytes.empty()) continue;
      SKIFF_ASSIGN_OR_RETURN(out, codec::parse_json(part.bytes));
      values_ += part.bytes.size() / 16;
    }
    return base::Status::ok();
  }

  // Field 1 is the schema, or whether one is allowed; field 2 is the other form.
  base::Status read_schema_or(JsonType type, std::string_view message, Json& out) {
    const TypeInfo* schema = find_schema_type();
    const bool has_bool = type == JsonType::schema_or_bool;
    Json list = Json::array();
    if (has_bool) out = false;
    ProtobufReader reader(message);
    while (!reader.at_end()) {
      SKIFF_ASSIGN_OR_RETURN(const ProtobufField part, reader.next());
      SKIFF_RETURN_IF_ERROR(count_value());
      if (has_bool && part.number == 1 && part.wire == Wire::varint) {
        if (!out.is_object()) out = part.value != 0;
        continue;
      }
      if (part.wire != Wire::bytes || part.number > 2) continue;
      if (type == JsonType::schema_or_strings && part.number == 2) {
        list.push_back(part.bytes);
        continue;
      }
      Json object = Json::object();
      SKIFF_RETURN_IF_ERROR(read_object(*schema, part.bytes, object));
      if (type == JsonType::schema_or_array && part.number == 2)
        list.push_back(std::move(object));
      else
        out = std::move(object);
    }
    if (!list.empty()) out = std::move(list);
    return base::Status::ok();
  }

  std::size_t values_ = 0;
  std::size_t depth_ = 0;
};

struct Envelope {
  std::string_view api_version, kind, raw, encoding, content_type;
};

base::Status read_type_meta(std::string_view message, Envelope& out) {
  ProtobufReader reader(message);
  while (!reader.at_end()) {
    SKIFF_ASSIGN_OR_RETURN(const ProtobufField part, reader.next());
    if (part.number == 1) out.api_version = part.bytes;
    if (part.number == 2) out.kind = part.bytes;
  }
  return base::Status::ok();
}

base::Result<Envelope> read_envelope(std::string_view body) {
  if (body.substr(0, kProtobufMagic.size()) != kProtobufMagic)
    return base::invalid_argument(
        "provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]");
  Envelope out;
  ProtobufReader reader(body.substr(kProtobufMagic.size()));
  while (!reader.at_end()) {
    SKIFF_ASSIGN_OR_RETURN(const ProtobufField part, reader.next());
    if (part.wire != Wire::bytes) continue;
    if (part.number == 1) SKIFF_RETURN_IF_ERROR(read_type_meta(part.bytes, out));
    if (part.number == 2) out.raw = part.bytes;
    if (part.number == 3) out.encoding = part.bytes;
    if (part.number == 4) out.content_type = part.bytes;
  }
  return out;
}

}  // namespace

base::Result<Json> decode_protobuf(std::string_view body) {
  SKIFF_ASSIGN_OR_RETURN(const Envelope envelope, read_envelope(body));
  if (!envelope.encoding.empty())
    return base::invalid_argument(
        base::concat("unsupported content encoding ", base::quote(envelope.encoding)));
  if (envelope.kind.empty() || envelope.api_version.empty())
    return base::invalid_argument("the protobuf envelope names no apiVersion and kind");
  if (envelope.content_type == "application/json") return codec::parse_json(envelope.raw);
  const ApiVersion version = split_api_version(envelope.api_version);
  const TypeInfo* type = find_type(version.group, version.version, envelope.kind);
  if (type == nullptr)
    return base::invalid_argument(base::concat("no kind ", base::quote(envelope.kind),
                                               " is registered for version ",
                                               base::quote(envelope.api_version)));
  Json object = Json::object();
  object.set("apiVersion", envelope.api_version);
  object.set("kind", envelope.kind);
  SKIFF_RETURN_IF_ERROR(MessageReader().read_object(*type, envelope.raw, object));
  return object;
}

}  // namespace skiff::api
