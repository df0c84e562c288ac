#include <skiff/base/strings.h>
#include <skiff/codec/json.h>

#include "codec/limits.h"

#include <rapidjson/error/en.h>
#include <rapidjson/memorystream.h>
#include <rapidjson/reader.h>

#include <algorithm>
#include <unordered_map>

namespace skiff::codec {

namespace {

// Builds the tree from the reader's events. The stack holds the open arrays and objects.
class TreeBuilder : public rapidjson::BaseReaderHandler<rapidjson::UTF8<>, TreeBuilder> {
 public:
  explicit TreeBuilder(const JsonParseOptions& options) : options_(options) {}

  bool Null() { return add(Json()); }
  bool Bool(bool value) { return add(Json(value)); }
  bool Int(int value) { return add(Json(value)); }
  bool Uint(unsigned value) { return add(Json(value)); }
  bool Int64(std::int64_t value) { return add(Json(static_cast<long long>(value))); }
  bool Uint64(std::uint64_t value) {
    if (value <= INT64_MAX) return add(Json(static_cast<long long>(value)));
    return add(Json(static_cast<double>(value)));
  }
  bool Double(double value) { return add(Json(value)); }
  bool String(const char* text, rapidjson::SizeType size, bool) {
    return add(Json(std::string_view(text, size)));
  }
  bool Key(const char* text, rapidjson::SizeType size, bool) {
    Frame& frame = stack_.back();
    frame.key.assign(text, size);
    return true;
  }
  bool StartObject() { return open(Json::object()); }
  bool StartArray() { return open(Json::array()); }
  bool EndObject(rapidjson::SizeType) { return close(); }
  bool EndArray(rapidjson::SizeType) { return close(); }

  Json take() { return std::move(root_); }
  bool over_limit() const { return over_limit_; }

 private:
  struct Frame {
    Json value;
    std::string key;  // of the member being read, for objects
    std::unordered_map<std::string, std::size_t> large_index;  // key to position, large objects
  };

  bool open(Json empty) {
    if (stack_.size() >= options_.limits.depth_max) return refuse();
    stack_.push_back({std::move(empty), {}});
    return true;
  }
  bool close() {
    Json value = std::move(stack_.back().value);
    stack_.pop_back();
    return add(std::move(value));
  }
  bool add(Json value) {
    if (++values_ > options_.limits.values_max) return refuse();
    if (stack_.empty()) {
      root_ = std::move(value);
      return true;
    }
    Frame& frame = stack_.back();
    if (frame.value.is_array()) {
      frame.value.push_back(std::move(value));
      return true;
    }
    add_member(frame, std::move(value));
    return true;
  }
  void add_member(Frame& frame, Json value) {
    auto& members = frame.value.mutable_members();
    auto found = find_member(frame, members);
    if (found == members.end()) {
      if (frame.large_index.size() > 0) frame.large_index.emplace(frame.key, members.size());
      members.push_back({std::move(frame.key), std::move(value)});
      return;
    }
    if (options_.duplicates != nullptr && options_.duplicates->size() < kDuplicatesMax)
      options_.duplicates->push_back(path_of(frame.key));
    found->value = std::move(value);
  }
  // Linear while that is cheap; an index beyond, so that a hostile object costs no quadratic time.
  Json::Object::iterator find_member(Frame& frame, Json::Object& members) {
    if (members.size() < kLinearMembersMax)
      return std::find_if(members.begin(), members.end(),
                          [&](const JsonMember& m) { return m.key == frame.key; });
    if (frame.large_index.empty())
      for (std::size_t i = 0; i < members.size(); ++i) frame.large_index.emplace(members[i].key, i);
    auto it = frame.large_index.find(frame.key);
    return it == frame.large_index.end()
               ? members.end()
               : members.begin() + static_cast<std::ptrdiff_t>(it->second);
  }
  std::string path_of(std::string_view key) const {
    std::string path;
    for (std::size_t i = 0; i + 1 < stack_.size(); ++i) {
      const Frame& frame = stack_[i];
      if (frame.value.is_array()) {
        path += base::concat("[", frame.value.size(), "]");
      } else {
        if (!path.empty()) path += '.';
        path += frame.key;
      }
    }
    if (!path.empty()) path += '.';
    return path.append(key);
  }
  bool refuse() {
    over_limit_ = true;
    return false;
  }

  const JsonParseOptions& options_;
  std::vector<Frame> stack_;
  Json root_;
  std::size_t values_ = 0;
  bool over_limit_ = false;
};

}  // namespace

base::Result<Json> parse_json(std::string_view text, const JsonParseOptions& options) {
  if (text.size() > options.limits.bytes_max)
    return base::Status(base::Code::too_large,
                        base::concat("JSON text of ", text.size(), " bytes is over the limit of ",
                                     options.limits.bytes_max));
  TreeBuilder builder(options);
  rapidjson::MemoryStream stream(text.data(), text.size());
  rapidjson::Reader reader;
  constexpr unsigned kFlags = rapidjson::kParseIterativeFlag | rapidjson::kParseFullPrecisionFlag;
  rapidjson::ParseResult result = reader.Parse<kFlags>(stream, builder);
  if (builder.over_limit())
    return base::Status(base::Code::too_large, "JSON text nests too deeply or has too many values");
  if (result.IsError())
    return base::invalid_argument(base::concat("invalid JSON at offset ", result.Offset(), ": ",
                                               rapidjson::GetParseError_En(result.Code())));
  return builder.take();
}

}  // namespace skiff::codec
