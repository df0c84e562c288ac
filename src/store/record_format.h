// The bytes of one record on disk: a header of 8 bytes, then the value.
//
//   offset 0  format version (1)
//          1  durability class with which it was last written
//          2  schema version, little endian
//          4  CRC-32C over key, revision (8 bytes, little endian), bytes 0-3 and value
#pragma once

#include <skiff/store/store.h>

#include <string>
#include <string_view>

namespace skiff::store {

constexpr std::size_t kRecordHeaderBytes = 8;
constexpr unsigned char kRecordFormat = 1;
constexpr std::uint16_t kSchemaVersion = 1;

// Replaces the content of `out`.
void encode_record(std::string_view key, Revision revision, Durability durability,
                   std::string_view value, std::string* out);

// The value inside `record`. Errors: data_loss, with what is wrong.
base::Result<std::string_view> decode_record(std::string_view key, Revision revision,
                                             std::string_view record);

}  // namespace skiff::store
