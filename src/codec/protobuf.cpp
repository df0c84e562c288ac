#include <skiff/base/strings.h>
#include <skiff/codec/protobuf.h>

#include <cstring>

namespace skiff::codec {

namespace {

base::Status cut_short() { return base::invalid_argument("proto: unexpected EOF"); }

std::uint64_t little_endian(std::string_view bytes) {
  std::uint64_t value = 0;
  for (std::size_t i = bytes.size(); i-- > 0;)
    value = value << 8 | static_cast<unsigned char>(bytes[i]);
  return value;
}

}  // namespace

base::Result<std::uint64_t> ProtobufReader::next_varint() {
  std::uint64_t value = 0;
  for (unsigned shift = 0; shift < 70; shift += 7) {
    if (rest_.empty()) return cut_short();
    const auto byte = static_cast<unsigned char>(rest_.front());
    rest_.remove_prefix(1);
    if (shift == 63 && byte > 1) break;
    value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
    if (byte < 0x80) return value;
  }
  return base::invalid_argument("proto: integer overflow");
}

base::Result<ProtobufField> ProtobufReader::next() {
  SKIFF_ASSIGN_OR_RETURN(const std::uint64_t tag, next_varint());
  ProtobufField field;
  if (tag >> 3 == 0 || tag >> 32 != 0)
    return base::invalid_argument(base::concat("proto: illegal tag ", tag));
  field.number = static_cast<std::uint32_t>(tag >> 3);
  std::uint64_t size = 0;
  switch (tag & 7) {
    case 0: {
      SKIFF_ASSIGN_OR_RETURN(field.value, next_varint());
      return field;
    }
    case 1:
      field.wire = ProtobufField::Wire::fixed64;
      size = 8;
      break;
    case 2: {
      field.wire = ProtobufField::Wire::bytes;
      SKIFF_ASSIGN_OR_RETURN(size, next_varint());
      break;
    }
    case 5:
      field.wire = ProtobufField::Wire::fixed32;
      size = 4;
      break;
    default: return base::invalid_argument(base::concat("proto: illegal wireType ", tag & 7));
  }
  if (size > rest_.size()) return cut_short();
  const std::string_view bytes = rest_.substr(0, size);
  rest_.remove_prefix(size);
  if (field.wire == ProtobufField::Wire::bytes)
    field.bytes = bytes;
  else
    field.value = little_endian(bytes);
  return field;
}

void write_protobuf_varint(std::uint64_t value, std::string& out) {
  while (value >= 0x80) {
    out += static_cast<char>(value | 0x80);
    value >>= 7;
  }
  out += static_cast<char>(value);
}

void write_protobuf_integer(std::uint32_t number, std::int64_t value, std::string& out) {
  write_protobuf_varint(static_cast<std::uint64_t>(number) << 3, out);
  write_protobuf_varint(static_cast<std::uint64_t>(value), out);
}

void write_protobuf_double(std::uint32_t number, double value, std::string& out) {
  write_protobuf_varint(static_cast<std::uint64_t>(number) << 3 | 1, out);
  std::uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof bits);
  for (int i = 0; i < 8; ++i) out += static_cast<char>(bits >> (8 * i));
}

void write_protobuf_bytes(std::uint32_t number, std::string_view bytes, std::string& out) {
  write_protobuf_varint(static_cast<std::uint64_t>(number) << 3 | 2, out);
  write_protobuf_varint(bytes.size(), out);
  out += bytes;
}

}  // namespace skiff::codec
