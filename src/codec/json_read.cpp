#include <skiff/base/strings.h>
#include <skiff/codec/json.h>

#include "codec/limits.h"

// Strings are mostly text without escapes, which this reads by 16 bytes.
#if defined(__SSE2__)
#define RAPIDJSON_SSE2
#endif
#include <rapidjson/error/en.h>
#include <rapidjson/reader.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <iterator>
#include <memory>
#include <optional>
#include <unordered_map>

namespace skiff::codec {

namespace {

// What rapidjson may read beyond the end of a text, in its aligned steps.
constexpr std::size_t kPaddingBytes = 16;

// What a number's text stands for: whole numbers of 64 bits are themselves, all others the nearest
// double; nullopt beyond its range. rapidjson's own conversion is undefined for zeros such as 0e99.
std::optional<Json> read_number(std::string_view text) {
  const char *begin = text.data(), *end = begin + text.size();
  if (text.find_first_of(".eE") == std::string_view::npos) {
    long long whole = 0;
    if (std::from_chars(begin, end, whole).ec == std::errc()) return Json(whole);
  }
  double value = 0;
  // Too small is zero.
  if (std::from_chars(begin, end, value).ec != std::errc())
    value = std::strtod(std::string(text).c_str(), nullptr);
  if (!std::isfinite(value)) return std::nullopt;
  return Json(value);
}

// Builds the tree from the reader's events. Items and members wait on two stacks until their array
// or object ends and takes them, at its exact size.
class TreeBuilder : public rapidjson::BaseReaderHandler<rapidjson::UTF8<>, TreeBuilder> {
 public:
  explicit TreeBuilder(const JsonParseOptions& options) : options_(options) {}

  bool Null() { return add(Json()); }
  bool Bool(bool value) { return add(Json(value)); }
  bool RawNumber(const char* text, rapidjson::SizeType size, bool) {
    auto number = read_number({text, size});
    beyond_double_ = !number;
    return number && add(std::move(*number));
  }
  bool String(const char* text, rapidjson::SizeType size, bool) {
    return add(Json(std::string_view(text, size)));
  }
  bool Key(const char* text, rapidjson::SizeType size, bool) {
    members_.push_back({std::string(text, size), Json()});
    return true;
  }
  bool StartObject() { return open(members_.size(), true); }
  bool StartArray() { return open(items_.size(), false); }
  bool EndObject(rapidjson::SizeType) {
    Json object = Json::object();
    take_from(open_.back().begin, members_, object.mutable_members());
    return close(std::move(object));
  }
  bool EndArray(rapidjson::SizeType) {
    Json array = Json::array();
    take_from(open_.back().begin, items_, array.mutable_items());
    return close(std::move(array));
  }

  Json take() { return std::move(root_); }
  bool over_limit() const { return over_limit_; }
  // Stopped at a number that no double holds.
  bool beyond_double() const { return beyond_double_; }

 private:
  using KeyIndex = std::unordered_map<std::string, std::size_t>;
  struct Open {
    std::size_t begin;  // on the stack of members or of items
    bool is_object;
    std::unique_ptr<KeyIndex> large_index;  // key to position, of large objects
  };

  template <class T>
  static void take_from(std::size_t begin, std::vector<T>& stack, std::vector<T>& out) {
    auto first = stack.begin() + static_cast<std::ptrdiff_t>(begin);
    out.reserve(stack.size() - begin);
    out.insert(out.end(), std::make_move_iterator(first), std::make_move_iterator(stack.end()));
    stack.erase(first, stack.end());
  }
  bool open(std::size_t begin, bool is_object) {
    if (open_.size() >= options_.limits.depth_max) return refuse();
    open_.push_back({begin, is_object, nullptr});
    return true;
  }
  bool close(Json value) {
    open_.pop_back();
    return add(std::move(value));
  }
  bool add(Json value) {
    if (++values_ > options_.limits.values_max) return refuse();
    if (open_.empty()) {
      root_ = std::move(value);
    } else if (open_.back().is_object) {
      members_.back().value = std::move(value);
      if (std::size_t earlier = find_earlier(open_.back()); earlier + 1 < members_.size())
        replace(earlier);
    } else {
      items_.push_back(std::move(value));
    }
    return true;
  }
  // Of a repeated member the last value wins, in the place of the first.
  void replace(std::size_t earlier) {
    if (options_.duplicates != nullptr && options_.duplicates->size() < kDuplicatesMax)
      options_.duplicates->push_back(path_of_last());
    members_[earlier].value = std::move(members_.back().value);
    members_.pop_back();
  }
  // Where the key of the last member was first. Linear while that is cheap; an index beyond, so
  // that a hostile object costs no quadratic time.
  std::size_t find_earlier(Open& object) {
    const std::size_t last = members_.size() - 1;
    const std::string& key = members_[last].key;
    if (last - object.begin < kLinearMembersMax) {
      std::size_t i = object.begin;
      while (i < last && members_[i].key != key) ++i;
      return i;
    }
    if (!object.large_index) {
      object.large_index = std::make_unique<KeyIndex>();
      for (std::size_t i = object.begin; i < last; ++i)
        object.large_index->emplace(members_[i].key, i);
    }
    return object.large_index->emplace(key, last).first->second;
  }
  // "spec.containers[0].name"
  std::string path_of_last() const {
    std::string path;
    for (std::size_t level = 0; level < open_.size(); ++level) {
      const std::size_t end = end_of(level);
      if (!open_[level].is_object) {
        path += base::concat("[", end - open_[level].begin, "]");
        continue;
      }
      if (!path.empty()) path += '.';
      path += members_[end - 1].key;
    }
    return path;
  }
  // Where those of the next open array or object of this sort begin.
  std::size_t end_of(std::size_t level) const {
    const bool is_object = open_[level].is_object;
    for (std::size_t i = level + 1; i < open_.size(); ++i)
      if (open_[i].is_object == is_object) return open_[i].begin;
    return is_object ? members_.size() : items_.size();
  }
  bool refuse() {
    over_limit_ = true;
    return false;
  }

  const JsonParseOptions& options_;
  std::vector<Open> open_;
  std::vector<Json> items_;
  std::vector<JsonMember> members_;
  Json root_;
  std::size_t values_ = 0;
  bool over_limit_ = false, beyond_double_ = false;
};

base::Status invalid(std::size_t offset, std::string_view why) {
  return base::invalid_argument(base::concat("invalid JSON at offset ", offset, ": ", why));
}

}  // namespace

base::Result<Json> parse_json(std::string_view text, const JsonParseOptions& options) {
  if (text.size() > options.limits.bytes_max)
    return base::Status(base::Code::too_large,
                        base::concat("JSON text of ", text.size(), " bytes is over the limit of ",
                                     options.limits.bytes_max));
  std::string buffer;
  buffer.reserve(text.size() + kPaddingBytes);
  buffer.append(text).append(kPaddingBytes, '\0');
  TreeBuilder builder(options);
  rapidjson::InsituStringStream stream(buffer.data());
  rapidjson::Reader reader;
  constexpr unsigned kFlags = rapidjson::kParseInsituFlag | rapidjson::kParseIterativeFlag |
                              rapidjson::kParseNumbersAsStringsFlag;
  rapidjson::ParseResult result = reader.Parse<kFlags>(stream, builder);
  if (builder.over_limit())
    return base::Status(base::Code::too_large, "JSON text nests too deeply or has too many values");
  if (result.IsError())
    return invalid(result.Offset(), rapidjson::GetParseError_En(
                                        builder.beyond_double() ? rapidjson::kParseErrorNumberTooBig
                                                                : result.Code()));
  // For the reader a zero byte is the end.
  if (stream.Tell() != text.size())
    return invalid(stream.Tell(),
                   rapidjson::GetParseError_En(rapidjson::kParseErrorDocumentRootNotSingular));
  return builder.take();
}

}  // namespace skiff::codec
