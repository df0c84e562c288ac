#include <skiff/base/strings.h>
#include <skiff/codec/yaml.h>

#include <algorithm>
#include <sstream>
#include <unordered_map>

#include "codec/limits.h"
#include "codec/yaml_scalar.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

namespace skiff::codec {

namespace {

// yaml-cpp tags a quoted scalar "!" and a plain one "?".
constexpr std::string_view kQuotedTag = "!";
constexpr std::string_view kStringTag = "tag:yaml.org,2002:str";
constexpr std::string_view kMergeKey = "<<";

// What stops a parse; thrown through yaml-cpp, which has no other way out, and caught below.
struct Stopped {
  base::Status status;
};

[[noreturn]] void stop_at(const YAML::Mark& mark, std::string_view problem) {
  throw Stopped{base::invalid_argument(base::concat("invalid YAML at line ", mark.line + 1,
                                                    ", column ", mark.column + 1, ": ", problem))};
}

// Builds the trees from the parser's events, so that limits hold while it reads. Aliases are copies
// that count as what they copy, which bounds an alias bomb.
class TreeBuilder : public YAML::EventHandler {
 public:
  explicit TreeBuilder(const JsonParseOptions& options) : options_(options) {}

  std::vector<Json> take() { return std::move(documents_); }

  void OnDocumentStart(const YAML::Mark& mark) override {
    // The parser stays where it is when a document is followed by what can start none.
    if (started_ && mark.pos <= last_start_) stop_at(mark, "did not find a document start");
    started_ = true;
    last_start_ = mark.pos;
    if (documents_.size() >= kYamlDocumentsMax)
      throw Stopped{{base::Code::too_large, "too many YAML documents in one stream"}};
    stack_.clear();
    anchors_.clear();
    root_ = Json();
  }
  void OnDocumentEnd() override { documents_.push_back(std::move(root_)); }

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    add(mark, {Json(), 1, 0}, anchor);
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    auto found = anchors_.find(anchor);
    if (found == anchors_.end()) stop_at(mark, "an anchor's value contains itself");
    count(found->second.values, found->second.bytes);
    add(mark, Value(found->second), 0);
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& text) override {
    const bool is_text = tag == kQuotedTag || tag == kStringTag;
    if (waits_for_key() && !is_text && text == kMergeKey) {
      stack_.back().has_key = stack_.back().is_merge = true;
      return;
    }
    add(mark, {is_text ? Json(text) : resolve_plain_scalar(text), 1, text.size()}, anchor);
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open(mark, Json::array(), anchor);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    open(mark, Json::object(), anchor);
  }
  void OnMapEnd() override {
    Frame& frame = stack_.back();
    for (const Json& source : frame.merged) merge(frame, source);
    close();
  }

 private:
  // A tree with what it costs.
  struct Value {
    Json json;
    std::size_t values = 0, bytes = 0;
  };
  struct Frame {
    Value value;
    YAML::Mark mark;
    YAML::anchor_t anchor = 0;
    std::string key;  // of the member being read
    bool has_key = false, is_merge = false;
    std::vector<Json> merged;
    std::unordered_map<std::string, std::size_t> large_index;  // key to position, large maps
  };

  bool waits_for_key() const {
    return !stack_.empty() && stack_.back().value.json.is_object() && !stack_.back().has_key;
  }

  void count(std::size_t values, std::size_t bytes) {
    values_ += values;
    bytes_ += bytes;
    if (values_ > options_.limits.values_max || bytes_ > options_.limits.bytes_max)
      throw Stopped{
          {base::Code::too_large, "YAML has too many values, or its aliases expand to too much"}};
  }

  void open(const YAML::Mark& mark, Json empty, YAML::anchor_t anchor) {
    if (waits_for_key()) stop_at(mark, "a key is not a plain text");
    if (stack_.size() >= options_.limits.depth_max)
      throw Stopped{{base::Code::too_large, "YAML nests too deeply"}};
    Frame frame;
    frame.value = {std::move(empty), 1, 0};
    frame.mark = mark;
    frame.anchor = anchor;
    stack_.push_back(std::move(frame));
  }

  void close() {
    Frame frame = std::move(stack_.back());
    stack_.pop_back();
    add(frame.mark, std::move(frame.value), frame.anchor);
  }

  void add(const YAML::Mark& mark, Value value, YAML::anchor_t anchor) {
    if (value.json.is_array() || value.json.is_object())
      count(1, 0);
    else
      count(1, value.bytes);
    if (anchor != 0) {
      count(value.values, value.bytes);
      anchors_[anchor] = value;
    }
    if (stack_.empty()) {
      root_ = std::move(value.json);
      return;
    }
    Frame& frame = stack_.back();
    frame.value.values += value.values;
    frame.value.bytes += value.bytes;
    if (frame.value.json.is_array()) {
      frame.value.json.push_back(std::move(value.json));
    } else if (!frame.has_key) {
      frame.key = key_text(mark, value.json);
      frame.has_key = true;
    } else {
      add_member(mark, frame, std::move(value.json));
    }
  }

  // Keys of other types become what Go's YAML makes of them.
  static std::string key_text(const YAML::Mark& mark, const Json& key) {
    if (key.is_string()) return std::string(key.as_string());
    if (key.is_bool()) return key.as_bool() ? "true" : "false";
    if (key.is_number()) return write_json(key);
    stop_at(mark, "a key is not a plain text");
  }

  void add_member(const YAML::Mark& mark, Frame& frame, Json value) {
    frame.has_key = false;
    if (frame.is_merge) {
      frame.is_merge = false;
      add_merged(mark, frame, std::move(value));
      return;
    }
    auto& members = frame.value.json.mutable_members();
    const std::size_t position = find_member(frame, frame.key);
    if (position == members.size()) {
      append_member(frame, std::move(frame.key), std::move(value));
      return;
    }
    if (options_.duplicates != nullptr && options_.duplicates->size() < kDuplicatesMax)
      options_.duplicates->push_back(path_of(frame.key));
    members[position].value = std::move(value);
  }

  static void add_merged(const YAML::Mark& mark, Frame& frame, Json value) {
    if (value.is_object()) {
      frame.merged.push_back(std::move(value));
      return;
    }
    const bool all_maps =
        value.is_array() && std::all_of(value.items().begin(), value.items().end(),
                                        [](const Json& item) { return item.is_object(); });
    if (!all_maps) stop_at(mark, "map merge requires map or sequence of maps as the value");
    for (Json& item : value.mutable_items()) frame.merged.push_back(std::move(item));
  }

  // Members of the source that the map does not have itself.
  static void merge(Frame& frame, const Json& source) {
    for (const JsonMember& member : source.members())
      if (find_member(frame, member.key) == frame.value.json.size())
        append_member(frame, member.key, member.value);
  }

  static void append_member(Frame& frame, std::string key, Json value) {
    auto& members = frame.value.json.mutable_members();
    if (!frame.large_index.empty()) frame.large_index.emplace(key, members.size());
    members.push_back({std::move(key), std::move(value)});
  }

  // The position, or the number of members. Linear while that is cheap; an index beyond, so that a
  // hostile map costs no quadratic time.
  static std::size_t find_member(Frame& frame, const std::string& key) {
    const auto& members = frame.value.json.members();
    if (members.size() < kLinearMembersMax) {
      auto found = std::find_if(members.begin(), members.end(),
                                [&](const JsonMember& member) { return member.key == key; });
      return static_cast<std::size_t>(found - members.begin());
    }
    if (frame.large_index.empty())
      for (std::size_t i = 0; i < members.size(); ++i) frame.large_index.emplace(members[i].key, i);
    auto found = frame.large_index.find(key);
    return found == frame.large_index.end() ? members.size() : found->second;
  }

  std::string path_of(std::string_view key) const {
    std::string path;
    for (std::size_t i = 0; i + 1 < stack_.size(); ++i) {
      const Frame& frame = stack_[i];
      if (frame.value.json.is_array()) {
        path += base::concat("[", frame.value.json.size(), "]");
      } else {
        if (!path.empty()) path += '.';
        path += frame.key;
      }
    }
    if (!path.empty()) path += '.';
    return path.append(key);
  }

  const JsonParseOptions& options_;
  std::vector<Json> documents_;
  std::vector<Frame> stack_;
  std::unordered_map<YAML::anchor_t, Value> anchors_;
  Json root_;
  std::size_t values_ = 0, bytes_ = 0;
  bool started_ = false;
  int last_start_ = 0;
};

base::Result<std::vector<Json>> parse_documents(std::string_view text,
                                                const JsonParseOptions& options) {
  if (text.size() > options.limits.bytes_max)
    return base::Status(base::Code::too_large,
                        base::concat("YAML text of ", text.size(), " bytes is over the limit of ",
                                     options.limits.bytes_max));
  try {
    std::istringstream stream{std::string(text)};
    YAML::Parser parser(stream);
    TreeBuilder builder(options);
    while (parser.HandleNextDocument(builder)) {
    }
    return builder.take();
  } catch (const Stopped& stopped) {
    return stopped.status;
  } catch (const YAML::Exception& error) {
    return base::invalid_argument(base::concat("invalid YAML at line ", error.mark.line + 1,
                                               ", column ", error.mark.column + 1, ": ",
                                               error.msg));
  }
}

}  // namespace

base::Result<Json> parse_yaml(std::string_view text, const JsonParseOptions& options) {
  SKIFF_ASSIGN_OR_RETURN(auto documents, parse_documents(text, options));
  if (documents.size() > 1)
    return base::invalid_argument("expected one YAML document, found several");
  return documents.empty() ? Json() : std::move(documents.front());
}

base::Result<std::vector<Json>> parse_yaml_stream(std::string_view text,
                                                  const JsonParseOptions& options) {
  SKIFF_ASSIGN_OR_RETURN(auto documents, parse_documents(text, options));
  std::erase_if(documents, [](const Json& document) { return document.is_null(); });
  return documents;
}

}  // namespace skiff::codec
