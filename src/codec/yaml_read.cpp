#include <skiff/base/strings.h>
#include <skiff/codec/yaml.h>

#include "codec/limits.h"
#include "codec/yaml_scalar.h"

#include <yaml-cpp/yaml.h>

namespace skiff::codec {

namespace {

// yaml-cpp tags a quoted scalar "!" and a plain one "?".
constexpr std::string_view kQuotedTag = "!";
constexpr std::string_view kMergeKey = "<<";

class Converter {
 public:
  explicit Converter(const JsonParseOptions& options) : options_(options) {}

  base::Result<Json> convert(const YAML::Node& node, const std::string& path, std::size_t depth) {
    // Aliases are expanded here, so the count also bounds an alias bomb.
    if (++values_ > options_.limits.values_max || depth > options_.limits.depth_max)
      return base::Status(base::Code::too_large,
                          "YAML nests too deeply, or its aliases expand to too many values");
    switch (node.Type()) {
      case YAML::NodeType::Scalar: return scalar(node);
      case YAML::NodeType::Sequence: return sequence(node, path, depth);
      case YAML::NodeType::Map: return map(node, path, depth);
      default: return Json();
    }
  }

 private:
  base::Result<Json> scalar(const YAML::Node& node) {
    const std::string& text = node.Scalar();
    bytes_ += text.size();
    if (bytes_ > options_.limits.bytes_max)
      return base::Status(base::Code::too_large, "YAML aliases expand to too much text");
    if (node.Tag() == kQuotedTag || node.Tag() == "tag:yaml.org,2002:str") return Json(text);
    return resolve_plain_scalar(text);
  }

  base::Result<Json> sequence(const YAML::Node& node, const std::string& path, std::size_t depth) {
    Json list = Json::array();
    for (std::size_t i = 0; i < node.size(); ++i) {
      SKIFF_ASSIGN_OR_RETURN(Json item,
                             convert(node[i], base::concat(path, "[", i, "]"), depth + 1));
      list.push_back(std::move(item));
    }
    return list;
  }

  static base::Result<std::string> key_text(const YAML::Node& key) {
    if (!key.IsScalar())
      return base::invalid_argument(
          base::concat("line ", key.Mark().line + 1, ": a key is not a plain text"));
    return key.Scalar();
  }

  base::Result<Json> map(const YAML::Node& node, const std::string& path, std::size_t depth) {
    Json object = Json::object();
    std::vector<YAML::Node> merged;
    for (const auto& member : node) {
      SKIFF_ASSIGN_OR_RETURN(std::string key, key_text(member.first));
      if (key == kMergeKey && member.first.Tag() != kQuotedTag) {
        merged.push_back(member.second);
        continue;
      }
      std::string member_path = path.empty() ? key : base::concat(path, ".", key);
      if (object.contains(key) && options_.duplicates != nullptr &&
          options_.duplicates->size() < kDuplicatesMax)
        options_.duplicates->push_back(member_path);
      SKIFF_ASSIGN_OR_RETURN(Json value, convert(member.second, member_path, depth + 1));
      object.set(key, std::move(value));
    }
    for (const auto& source : merged) SKIFF_RETURN_IF_ERROR(merge(object, source, path, depth));
    return object;
  }

  // "<<": members of the source that the map does not have itself.
  base::Status merge(Json& object, const YAML::Node& source, const std::string& path,
                     std::size_t depth) {
    if (source.IsSequence()) {
      for (std::size_t i = 0; i < source.size(); ++i)
        SKIFF_RETURN_IF_ERROR(merge(object, source[i], path, depth + 1));
      return base::Status::ok();
    }
    SKIFF_ASSIGN_OR_RETURN(Json other, convert(source, path, depth + 1));
    if (!other.is_object())
      return base::invalid_argument(
          base::concat("line ", source.Mark().line + 1, ": map merge requires a map"));
    for (const auto& member : other.members())
      if (!object.contains(member.key)) object.set(member.key, member.value);
    return base::Status::ok();
  }

  const JsonParseOptions& options_;
  std::size_t values_ = 0;
  std::size_t bytes_ = 0;
};

base::Status check_size(std::string_view text, const JsonParseOptions& options) {
  if (text.size() <= options.limits.bytes_max) return base::Status::ok();
  return base::Status(base::Code::too_large,
                      base::concat("YAML text of ", text.size(), " bytes is over the limit of ",
                                   options.limits.bytes_max));
}

base::Status yaml_status(const YAML::Exception& error) {
  return base::invalid_argument(base::concat("invalid YAML at line ", error.mark.line + 1,
                                             ", column ", error.mark.column + 1, ": ", error.msg));
}

base::Result<std::vector<Json>> parse_documents(std::string_view text,
                                                const JsonParseOptions& options) {
  SKIFF_RETURN_IF_ERROR(check_size(text, options));
  try {
    std::vector<Json> documents;
    for (const auto& node : YAML::LoadAll(std::string(text))) {
      if (documents.size() >= kYamlDocumentsMax)
        return base::Status(base::Code::too_large, "too many YAML documents in one stream");
      SKIFF_ASSIGN_OR_RETURN(Json document, Converter(options).convert(node, {}, 0));
      documents.push_back(std::move(document));
    }
    return documents;
  } catch (const YAML::Exception& error) {
    return yaml_status(error);
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
