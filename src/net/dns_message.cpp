#include "net/dns_message.h"

#include <skiff/base/strings.h>

#include "net/limits.h"

#include <arpa/inet.h>

namespace skiff::net {

namespace {

constexpr std::size_t kHeaderBytes = 12;
constexpr std::uint16_t kAnswerFlag = 0x8000, kOpcodeMask = 0x7800, kAuthoritative = 0x0400,
                        kTruncated = 0x0200, kRecursionDesired = 0x0100,
                        kRecursionAvailable = 0x0080;
constexpr std::uint16_t kClassInternet = 1;
constexpr std::uint32_t kNegativeTtlSeconds = 5;
constexpr int kPointersMax = 16;
constexpr std::size_t kRecordsMax = 64;

std::uint16_t read16(std::string_view text, std::size_t at) {
  return static_cast<std::uint16_t>(static_cast<unsigned char>(text[at]) << 8 |
                                    static_cast<unsigned char>(text[at + 1]));
}
void put16(std::string& out, std::size_t value) {
  out += static_cast<char>(value >> 8);
  out += static_cast<char>(value);
}
void put32(std::string& out, std::uint32_t value) {
  put16(out, value >> 16);
  put16(out, value & 0xffff);
}

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

// Reads the name at `at` and moves behind it. False when it is malformed.
bool read_name(std::string_view message, std::size_t& at, std::string& name) {
  std::size_t position = at;
  bool jumped = false;
  int pointers = 0;
  name.clear();
  for (;;) {
    if (position >= message.size()) return false;
    auto length = static_cast<unsigned char>(message[position]);
    if (length == 0) {
      if (!jumped) at = position + 1;
      return true;
    }
    if ((length & 0xc0) == 0xc0) {
      if (position + 1 >= message.size() || ++pointers > kPointersMax) return false;
      std::size_t target = read16(message, position) & 0x3fffu;
      if (!jumped) at = position + 2;
      jumped = true;
      position = target;
      continue;
    }
    if (length > kDnsLabelBytesMax || position + 1 + length > message.size()) return false;
    if (!name.empty()) name += '.';
    for (std::size_t i = 0; i < length; ++i) name += lower(message[position + 1 + i]);
    if (name.size() > kDnsNameBytesMax) return false;
    position += 1 + length;
  }
}

void put_name(std::string& out, std::string_view name) {
  if (!name.empty()) {
    for (auto label : base::split(name, '.')) {
      auto part = label.substr(0, kDnsLabelBytesMax);
      out += static_cast<char>(part.size());
      out += part;
    }
  }
  out += '\0';
}

void put_owner(std::string& out, std::string_view name, const DnsQuery& query) {
  if (name == query.name)
    put16(out, 0xc000 | kHeaderBytes);  // the question's name
  else
    put_name(out, name);
}

std::string record_data(const DnsRecord& record) {
  std::string data;
  switch (record.type) {
    case DnsType::a: {
      in_addr address{};
      inet_pton(AF_INET, record.data.c_str(), &address);
      data.assign(reinterpret_cast<const char*>(&address), sizeof address);
      break;
    }
    case DnsType::srv:
      put16(data, record.priority);
      put16(data, record.weight);
      put16(data, record.port);
      put_name(data, record.data);
      break;
    default: put_name(data, record.data);
  }
  return data;
}

void put_record(std::string& out, const DnsRecord& record, const DnsQuery& query) {
  put_owner(out, record.name, query);
  put16(out, static_cast<std::uint16_t>(record.type));
  put16(out, kClassInternet);
  put32(out, record.ttl_seconds);
  std::string data = record_data(record);
  put16(out, data.size());
  out += data;
}

// RFC 2308: tells for how long "there is none" may be remembered.
void put_authority(std::string& out, std::string_view zone) {
  put_name(out, zone);
  put16(out, static_cast<std::uint16_t>(DnsType::soa));
  put16(out, kClassInternet);
  put32(out, kNegativeTtlSeconds);
  std::string data;
  put_name(data, base::concat("ns.dns.", zone));
  put_name(data, base::concat("hostmaster.", zone));
  for (std::uint32_t value : {1u, 7200u, 1800u, 86400u, kNegativeTtlSeconds}) put32(data, value);
  put16(out, data.size());
  out += data;
}

void put_edns(std::string& out) {
  out += '\0';
  put16(out, static_cast<std::uint16_t>(DnsType::opt));
  put16(out, kDnsUdpBytesMax);
  put32(out, 0);
  put16(out, 0);
}

std::string header(const DnsQuery& query, std::uint16_t flags, std::size_t answers,
                   std::size_t authorities, std::size_t additional) {
  std::string out;
  put16(out, query.id);
  put16(out, flags);
  put16(out, 1);
  put16(out, answers);
  put16(out, authorities);
  put16(out, additional);
  return out + query.question;
}

// Skips a record and, for OPT, takes the client's buffer size.
bool read_additional(std::string_view message, std::size_t& at, DnsQuery& query) {
  std::string name;
  if (!read_name(message, at, name) || at + 10 > message.size()) return false;
  auto type = static_cast<DnsType>(read16(message, at));
  std::uint16_t klass = read16(message, at + 2), length = read16(message, at + 8);
  at += 10;
  if (at + length > message.size()) return false;
  at += length;
  if (type == DnsType::opt) {
    query.has_edns = true;
    query.udp_bytes_max =
        std::min(std::max<std::size_t>(klass, kDnsUdpBytesDefault), kDnsUdpBytesMax);
  }
  return true;
}

}  // namespace

base::Result<DnsQuery> parse_dns_query(std::string_view message) {
  auto bad = [](const char* why) { return base::invalid_argument(why); };
  if (message.size() < kHeaderBytes) return bad("shorter than a DNS header");
  DnsQuery query;
  query.id = read16(message, 0);
  std::uint16_t flags = read16(message, 2);
  if ((flags & kAnswerFlag) != 0) return bad("an answer, not a query");
  if ((flags & kOpcodeMask) != 0) return bad("not a standard query");
  query.recursion_desired = (flags & kRecursionDesired) != 0;
  if (read16(message, 4) != 1 || read16(message, 6) != 0 || read16(message, 8) != 0)
    return bad("not exactly one question");
  std::size_t at = kHeaderBytes;
  if (!read_name(message, at, query.name) || at + 4 > message.size())
    return bad("a malformed question");
  query.type = static_cast<DnsType>(read16(message, at));
  query.klass = read16(message, at + 2);
  at += 4;
  query.question = message.substr(kHeaderBytes, at - kHeaderBytes);
  std::size_t additional = read16(message, 10);
  if (additional > kRecordsMax) return bad("too many records");
  for (std::size_t i = 0; i < additional; ++i)
    if (!read_additional(message, at, query)) return bad("a malformed record");
  return query;
}

std::string write_dns_answer(const DnsQuery& query, DnsCode code, const DnsAnswer& answer,
                             std::string_view zone, std::size_t bytes_max) {
  std::uint16_t flags =
      kAnswerFlag | kAuthoritative | kRecursionAvailable | static_cast<std::uint16_t>(code);
  if (query.recursion_desired) flags |= kRecursionDesired;
  const std::size_t edns = query.has_edns ? 1 : 0;
  bool negative = answer.records.empty() && !zone.empty() &&
                  (code == DnsCode::no_error || code == DnsCode::no_such_name);
  auto write = [&](std::size_t answers, std::size_t additional, std::uint16_t extra_flags) {
    std::string out =
        header(query, flags | extra_flags, answers, negative ? 1 : 0, additional + edns);
    for (std::size_t i = 0; i < answers; ++i) put_record(out, answer.records[i], query);
    if (negative) put_authority(out, zone);
    for (std::size_t i = 0; i < additional; ++i) put_record(out, answer.additional[i], query);
    if (edns != 0) put_edns(out);
    return out;
  };
  std::string out = write(answer.records.size(), answer.additional.size(), 0);
  if (out.size() > bytes_max) out = write(answer.records.size(), 0, 0);
  if (out.size() > bytes_max) out = write(0, 0, kTruncated);
  return out;
}

std::string write_dns_format_error(std::string_view message) {
  if (message.size() < kHeaderBytes || (read16(message, 2) & kAnswerFlag) != 0) return {};
  bool standard = (read16(message, 2) & kOpcodeMask) == 0;
  std::string out(message.substr(0, 2));
  put16(out, kAnswerFlag | static_cast<std::uint16_t>(standard ? DnsCode::format_error
                                                               : DnsCode::not_implemented));
  out.append(8, '\0');
  return out;
}

std::string write_dns_query(std::uint16_t id, std::string_view name, DnsType type) {
  std::string out;
  put16(out, id);
  put16(out, kRecursionDesired);
  put16(out, 1);
  out.append(6, '\0');
  put_name(out, name);
  put16(out, static_cast<std::uint16_t>(type));
  put16(out, kClassInternet);
  return out;
}

bool is_answer_to(std::string_view answer, std::string_view query) {
  if (answer.size() < kHeaderBytes || query.size() < kHeaderBytes) return false;
  if (read16(answer, 0) != read16(query, 0) || (read16(answer, 2) & kAnswerFlag) == 0) return false;
  if (read16(answer, 4) != 1) return false;
  std::string answered, asked;
  std::size_t answer_at = kHeaderBytes, query_at = kHeaderBytes;
  if (!read_name(answer, answer_at, answered) || !read_name(query, query_at, asked)) return false;
  if (answer_at + 4 > answer.size() || query_at + 4 > query.size()) return false;
  return answered == asked && answer.substr(answer_at, 4) == query.substr(query_at, 4);
}

std::vector<DnsRecord> read_dns_addresses(std::string_view answer) {
  std::vector<DnsRecord> records;
  std::string name;
  std::size_t at = kHeaderBytes;
  if (answer.size() < kHeaderBytes || !read_name(answer, at, name)) return records;
  at += 4;
  std::size_t count = std::min<std::size_t>(read16(answer, 6), kRecordsMax);
  for (std::size_t i = 0; i < count; ++i) {
    if (!read_name(answer, at, name) || at + 10 > answer.size()) return records;
    auto type = static_cast<DnsType>(read16(answer, at));
    std::uint16_t length = read16(answer, at + 8);
    std::uint32_t ttl =
        static_cast<std::uint32_t>(read16(answer, at + 4)) << 16 | read16(answer, at + 6);
    at += 10;
    if (at + length > answer.size()) return records;
    DnsRecord record{name, type, ttl, {}, 0, 0, 0};
    std::size_t data_at = at;
    if (type == DnsType::a && length == 4) {
      char text[INET_ADDRSTRLEN];
      record.data = inet_ntop(AF_INET, answer.data() + at, text, sizeof text);
      records.push_back(std::move(record));
    } else if (type == DnsType::cname && read_name(answer, data_at, record.data)) {
      records.push_back(std::move(record));
    }
    at += length;
  }
  return records;
}

}  // namespace skiff::net
