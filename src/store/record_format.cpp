#include "store/record_format.h"

#include "store/checksum.h"

#include <skiff/base/strings.h>

namespace skiff::store {

namespace {

void put_little_endian(std::uint64_t number, std::size_t bytes, char* out) {
  for (std::size_t i = 0; i < bytes; ++i) out[i] = static_cast<char>((number >> (8 * i)) & 0xff);
}

std::uint32_t checksum_of(std::string_view key, Revision revision, std::string_view head,
                          std::string_view value) {
  char number[8];
  put_little_endian(revision, sizeof number, number);
  std::uint32_t crc = crc32c(key);
  crc = crc32c({number, sizeof number}, crc);
  crc = crc32c(head, crc);
  return crc32c(value, crc);
}

base::Status damaged(std::string reason) { return {base::Code::data_loss, std::move(reason)}; }

}  // namespace

void encode_record(std::string_view key, Revision revision, Durability durability,
                   std::string_view value, std::string* out) {
  char header[kRecordHeaderBytes];
  header[0] = static_cast<char>(kRecordFormat);
  header[1] = static_cast<char>(durability);
  put_little_endian(kSchemaVersion, 2, header + 2);
  put_little_endian(checksum_of(key, revision, {header, 4}, value), 4, header + 4);
  out->assign(header, sizeof header);
  out->append(value);
}

base::Result<std::string_view> decode_record(std::string_view key, Revision revision,
                                             std::string_view record) {
  if (record.size() < kRecordHeaderBytes)
    return damaged(base::concat("the record has ", record.size(), " bytes, fewer than a header"));
  auto format = static_cast<unsigned char>(record[0]);
  if (format != kRecordFormat)
    return damaged(base::concat("record format ", unsigned{format}, " is not known"));
  std::string_view value = record.substr(kRecordHeaderBytes);
  char expected[4];
  put_little_endian(checksum_of(key, revision, record.substr(0, 4), value), 4, expected);
  if (record.substr(4, 4) != std::string_view(expected, 4))
    return damaged("the checksum does not match");
  return value;
}

}  // namespace skiff::store
