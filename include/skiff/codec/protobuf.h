// The wire form of protocol buffers: fields of a number and a value, without their meaning.
#pragma once

#include <skiff/base/result.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace skiff::codec {

struct ProtobufField {
  enum class Wire : unsigned char { varint, fixed64, bytes, fixed32 };
  std::uint32_t number = 0;
  Wire wire = Wire::varint;
  std::uint64_t value = 0;  // of varint and fixed
  std::string_view bytes;   // of strings, bytes and messages; part of the text that is read
};

// Reads the fields of one message, which must outlive it. Thread-compatible.
class ProtobufReader {
 public:
  explicit ProtobufReader(std::string_view message) : rest_(message) {}

  bool at_end() const { return rest_.empty(); }
  // REQUIRES: not at_end(). invalid_argument for text that is cut, a number of 0, groups, and
  // varints over 64 bits; the reader is of no use afterwards.
  base::Result<ProtobufField> next();
  // One varint without a field number, as packed lists have them.
  base::Result<std::uint64_t> next_varint();

 private:
  std::string_view rest_;
};

void write_protobuf_varint(std::uint64_t value, std::string& out);
// Negative numbers take ten bytes, as int32 and int64 do.
void write_protobuf_integer(std::uint32_t number, std::int64_t value, std::string& out);
void write_protobuf_double(std::uint32_t number, double value, std::string& out);
// A string, bytes or a message.
void write_protobuf_bytes(std::uint32_t number, std::string_view bytes, std::string& out);

}  // namespace skiff::codec
