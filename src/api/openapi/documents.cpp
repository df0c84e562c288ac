#include <skiff/api/openapi.h>
#include <skiff/base/strings.h>
#include <skiff/codec/protobuf.h>

#include <algorithm>

#include "api/limits.h"
#include "api/openapi/model.h"

namespace skiff::api {

namespace {

using codec::Json;

constexpr std::string_view kTitle = "Kubernetes", kVersion = "v1.36.0";

// Collects pieces until they are worth sending.
class Buffer {
 public:
  explicit Buffer(TextSink& sink) : sink_(sink) {}
  ~Buffer() { flush(); }

  std::string& text() { return text_; }
  void flush_when_full() {
    if (text_.size() >= kOpenApiPieceBytes) flush();
  }

 private:
  void flush() {
    if (!text_.empty()) sink_(text_);
    text_.clear();
  }

  TextSink& sink_;
  std::string text_;
};

void write_member(bool& first, std::string_view name, const Json& value, Buffer& out) {
  if (!first) out.text() += ',';
  first = false;
  codec::write_json_string(name, out.text());
  out.text() += ':';
  codec::write_json(value, out.text());
  out.flush_when_full();
}

void write_paths(OpenApi version, std::span<const ResourceInfo> resources, Buffer& out) {
  bool first = true;
  base::UniqueFunction<void(const std::string&, Json)> visit =
      [&](const std::string& path, Json item) { write_member(first, path, item, out); };
  for (const ResourceInfo& resource : resources) for_each_path(version, resource, visit);
}

void write_definitions(OpenApi version, std::span<const ResourceInfo> resources, Buffer& out) {
  bool first = true;
  for (const Definition& definition : reachable_definitions(resources))
    write_member(first, definition.name, definition_schema(version, definition), out);
}

std::string info() {
  return base::concat(R"("info":{"title":")", kTitle, R"(","version":")", kVersion, "\"}");
}

std::string path_of(const ResourceInfo& resource) {
  return resource.group.empty() ? base::concat("api/", resource.version)
                                : base::concat("apis/", resource.group, "/", resource.version);
}

// The resources of one group version stand together.
std::span<const ResourceInfo> resources_at(std::string_view path) {
  const auto all = all_resources();
  std::size_t begin = 0;
  while (begin < all.size() && path_of(all[begin]) != path) ++begin;
  std::size_t end = begin;
  while (end < all.size() && path_of(all[end]) == path) ++end;
  return all.subspan(begin, end - begin);
}

// FNV-1a in 64 bits, twice with different starts: a name for content, not a seal.
class Digest {
 public:
  void add(std::string_view text) {
    for (unsigned char c : text) {
      low_ = (low_ ^ c) * kPrime;
      high_ = (high_ ^ c ^ 0xa5) * kPrime;
    }
  }
  std::string hex() const {
    std::string bytes;
    for (std::uint64_t half : {high_, low_})
      for (int shift = 56; shift >= 0; shift -= 8) bytes += static_cast<char>(half >> shift);
    return base::to_hex(bytes);
  }

 private:
  static constexpr std::uint64_t kPrime = 0x100000001b3;
  std::uint64_t low_ = 0xcbf29ce484222325, high_ = 0x84222325cbf29ce4;
};

std::vector<std::pair<std::string, std::string>> all_hashes() {
  std::vector<std::pair<std::string, std::string>> out;
  std::vector<std::string> paths = openapi_v3_paths();
  paths.emplace_back("v2");
  for (const std::string& path : paths) {
    Digest digest;
    TextSink sink = [&digest](std::string_view piece) { digest.add(piece); };
    if (path == "v2")
      write_openapi_v2_json(sink);
    else
      write_openapi_v3(path, sink);
    out.emplace_back(path, digest.hex());
  }
  return out;
}

}  // namespace

void write_openapi_v2_json(TextSink& sink) {
  Buffer out(sink);
  out.text() += R"({"swagger":"2.0",)" + info() + R"(,"paths":{)";
  write_paths(OpenApi::v2, all_resources(), out);
  out.text() += R"(},"definitions":{)";
  write_definitions(OpenApi::v2, all_resources(), out);
  out.text() += "}}";
}

void write_openapi_v2_protobuf(TextSink& sink) {
  std::string head, about;
  codec::write_protobuf_bytes(1, "2.0", head);
  codec::write_protobuf_bytes(1, kTitle, about);
  codec::write_protobuf_bytes(2, kVersion, about);
  codec::write_protobuf_bytes(2, about, head);
  sink(head);
  // A message says its size first, so each of the two large parts is made whole.
  auto send = [&sink](std::uint32_t number, std::string message) {
    std::string start;
    codec::write_protobuf_varint(static_cast<std::uint64_t>(number) << 3 | 2, start);
    codec::write_protobuf_varint(message.size(), start);
    sink(start);
    sink(message);
  };
  auto add = [](std::uint32_t number, std::string_view name, std::string_view value,
                std::string& out) {
    std::string entry;
    codec::write_protobuf_bytes(1, name, entry);
    codec::write_protobuf_bytes(2, value, entry);
    codec::write_protobuf_bytes(number, entry, out);
  };
  std::string paths;
  base::UniqueFunction<void(const std::string&, Json)> visit =
      [&](const std::string& path, Json item) { add(2, path, gnostic_path_item(item), paths); };
  for (const ResourceInfo& resource : all_resources()) for_each_path(OpenApi::v2, resource, visit);
  send(8, std::move(paths));
  std::string definitions;
  for (const Definition& definition : reachable_definitions(all_resources()))
    add(1, definition.name, gnostic_schema(definition_schema(OpenApi::v2, definition)),
        definitions);
  send(9, std::move(definitions));
}

bool write_openapi_v3(std::string_view path, TextSink& sink) {
  const auto resources = resources_at(path);
  if (resources.empty()) return false;
  Buffer out(sink);
  out.text() += R"({"openapi":"3.0.0",)" + info() + R"(,"paths":{)";
  write_paths(OpenApi::v3, resources, out);
  out.text() += R"(},"components":{"schemas":{)";
  write_definitions(OpenApi::v3, resources, out);
  out.text() += "}}}";
  return true;
}

std::vector<std::string> openapi_v3_paths() {
  std::vector<std::string> out;
  for (const ResourceInfo& resource : all_resources()) {
    std::string path = path_of(resource);
    if (out.empty() || out.back() != path) out.push_back(std::move(path));
  }
  return out;
}

std::string openapi_hash(std::string_view path) {
  static const auto hashes = all_hashes();
  for (const auto& [known, hash] : hashes)
    if (known == path) return hash;
  return {};
}

}  // namespace skiff::api
