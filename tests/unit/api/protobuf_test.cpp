#include <skiff/api/defaults.h>
#include <skiff/base/strings.h>
#include <skiff/codec/protobuf.h>

#include <catch2/catch.hpp>

#include <algorithm>

#include "unit/api/oracle.h"

using namespace skiff;
using namespace skiff::api;

namespace {

codec::Json json(std::string_view text) {
  auto value = codec::parse_json(text);
  REQUIRE(value.is_ok());
  return std::move(value).value();
}

std::string enveloped(std::string_view api_version, std::string_view kind, std::string_view raw) {
  std::string meta, out("k8s\0", 4);
  codec::write_protobuf_bytes(1, api_version, meta);
  codec::write_protobuf_bytes(2, kind, meta);
  codec::write_protobuf_bytes(1, meta, out);
  codec::write_protobuf_bytes(2, raw, out);
  return out;
}

// Where two trees differ first, for messages.
std::string difference(const codec::Json& a, const codec::Json& b, const std::string& path) {
  if (a == b) return "";
  if (a.is_object() && b.is_object()) {
    for (const auto& member : a.members()) {
      std::string found = difference(member.value, b[member.key], path + "." + member.key);
      if (!found.empty()) return found;
    }
    for (const auto& member : b.members())
      if (!a.contains(member.key)) return path + "." + member.key + " is missing";
  }
  if (a.is_array() && b.is_array() && a.size() == b.size())
    for (std::size_t i = 0; i < a.size(); ++i) {
      std::string found = difference(a.items()[i], b.items()[i], path + "[]");
      if (!found.empty()) return found;
    }
  return path + ": " + codec::write_json(a) + " / " + codec::write_json(b);
}

}  // namespace

TEST_CASE("every recorded object reads and writes as upstream's protobuf") {
  const auto folder = tests::oracle_folder() / "api-pairs";
  if (!std::filesystem::exists(folder)) {
    WARN("skipped: no oracle api-pairs");
    return;
  }
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    if (entry.path().extension() == ".json") names.push_back(entry.path().stem());
  std::sort(names.begin(), names.end());
  int checked = 0;
  for (const std::string& name : names) {
    auto expected = tests::read_oracle_json("api-pairs/" + name + ".json");
    auto bytes = tests::read_oracle("api-pairs/" + name + ".pb");
    REQUIRE(expected.has_value());
    REQUIRE(bytes.has_value());
    const ApiVersion version = split_api_version((*expected)["apiVersion"].as_string());
    const TypeInfo* type =
        find_type(version.group, version.version, (*expected)["kind"].as_string());
    if (type == nullptr) continue;  // and watch events, which name no kind
    INFO(name);
    auto read = decode_protobuf(*bytes);
    INFO(read.status().message());
    REQUIRE(read.is_ok());
    REQUIRE(decode_object(*type, *expected, nullptr).is_ok());
    REQUIRE(decode_object(*type, *read, nullptr).is_ok());
    CHECK(difference(*read, *expected, "") == "");
    auto written = encode_protobuf(*type, *expected);
    REQUIRE(written.is_ok());
    CHECK((*written == *bytes));
    ++checked;
  }
  CHECK(checked >= 60);
}

TEST_CASE("an empty deployment as kubectl sends it") {
  codec::Json object = json(R"({"apiVersion":"apps/v1","kind":"Deployment",
    "metadata":{"name":"web"},"spec":{"replicas":0,"selector":{"matchLabels":{"a":"b"}},
    "template":{"spec":{"containers":[{"name":"c","image":"i"}]}}}})");
  const TypeInfo& type = *find_type("apps", "v1", "Deployment");
  auto bytes = encode_protobuf(type, object);
  REQUIRE(bytes.is_ok());
  auto read = decode_protobuf(*bytes);
  REQUIRE(read.is_ok());
  REQUIRE(decode_object(type, *read, nullptr).is_ok());
  CHECK(read->at({"spec", "replicas"}).as_int(-1) == 0);
  CHECK_FALSE((*read)["metadata"].contains("namespace"));
  CHECK_FALSE((*read)["metadata"].contains("creationTimestamp"));
  CHECK(read->at({"spec", "selector"}) == json(R"({"matchLabels":{"a":"b"}})"));
}

TEST_CASE("bodies that are no protobuf are refused") {
  CHECK(decode_protobuf("").status().message().find("expected prefix") != std::string::npos);
  CHECK_FALSE(decode_protobuf("{}").is_ok());
  CHECK_FALSE(decode_protobuf(std::string("k8s\0", 4)).is_ok());
  CHECK(decode_protobuf(enveloped("v1", "Nothing", "")).status().message() ==
        "no kind \"Nothing\" is registered for version \"v1\"");
  CHECK(decode_protobuf(enveloped("v1", "Pod",
                                  "\x0a\x05"
                                  "ab"))
            .code() == base::Code::invalid_argument);
  CHECK_FALSE(decode_protobuf(enveloped("v1", "Pod", "\x0b")).is_ok());      // a group
  CHECK_FALSE(decode_protobuf(enveloped("v1", "Pod", "\x08\x01")).is_ok());  // metadata, a number
  CHECK_FALSE(decode_protobuf(enveloped("v1", "Pod", std::string(11, '\xff'))).is_ok());
  CHECK(decode_protobuf(enveloped("v1", "Pod", "\xf8\x7f\x01")).is_ok());  // an unknown field
}

TEST_CASE("a truncated message never reads as a whole one's neighbour") {
  codec::Json object = json(R"({"apiVersion":"v1","kind":"Pod","metadata":{"name":"a"},
    "spec":{"containers":[{"name":"c","ports":[{"containerPort":1}]}]}})");
  auto bytes = encode_protobuf(*find_type("", "v1", "Pod"), object);
  REQUIRE(bytes.is_ok());
  for (std::size_t size = 0; size + 4 < bytes->size(); ++size) {
    auto read = decode_protobuf(bytes->substr(0, size));
    if (read.is_ok()) CHECK_FALSE(*read == object);
  }
}

TEST_CASE("hostile messages are bounded") {
  // Values that cost one byte each: the groups of a security context, packed.
  std::string context, spec, pod;
  codec::write_protobuf_bytes(4, std::string(1'000'100, '\x01'), context);
  codec::write_protobuf_bytes(14, context, spec);
  codec::write_protobuf_bytes(2, spec, pod);
  CHECK(decode_protobuf(enveloped("v1", "Pod", pod)).code() == base::Code::too_large);
  // Schemas in schemas.
  std::string schema;
  for (int i = 0; i < 300; ++i) {
    std::string outer;
    codec::write_protobuf_bytes(28, schema, outer);  // not
    schema = outer;
  }
  std::string version, crd_spec, crd, validation;
  codec::write_protobuf_bytes(1, schema, validation);
  codec::write_protobuf_bytes(4, validation, version);
  codec::write_protobuf_bytes(7, version, crd_spec);
  codec::write_protobuf_bytes(2, crd_spec, crd);
  CHECK(decode_protobuf(enveloped("apiextensions.k8s.io/v1", "CustomResourceDefinition", crd))
            .code() == base::Code::too_large);
  // A map of many keys in the worst order, one of them twice.
  std::string map;
  for (int i = 20'000; i-- > 0;) {
    std::string entry;
    codec::write_protobuf_bytes(1, base::concat("key", i % 19'999), entry);
    codec::write_protobuf_bytes(2, base::concat(i), entry);
    codec::write_protobuf_bytes(2, entry, map);
  }
  auto config = decode_protobuf(enveloped("v1", "ConfigMap", map));
  REQUIRE(config.is_ok());
  CHECK((*config)["data"].size() == 19'999);
  CHECK((*config)["data"]["key0"].as_string() == "0");
}
