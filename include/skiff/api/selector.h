// Label and field selectors. Immutable after parsing.
#pragma once

#include <skiff/base/result.h>
#include <skiff/codec/json.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace skiff::api {

using Labels = std::vector<std::pair<std::string, std::string>>;

class LabelSelector {
 public:
  LabelSelector() = default;  // matches everything
  // "a=b,c in (d,e),!f". Errors in upstream's words ("unable to parse requirement: …").
  static base::Result<LabelSelector> parse(std::string_view text);
  // metav1.LabelSelector; null matches nothing, {} everything.
  static base::Result<LabelSelector> from_json(const codec::Json& selector);
  // Equality of every member of a map (Service.spec.selector).
  static LabelSelector from_map(const codec::Json& map);

  bool matches(const Labels& labels) const;
  bool matches(const codec::Json& labels_object) const;
  bool matches_everything() const { return !nothing_ && requirements_.empty(); }
  std::string to_string() const;

 private:
  enum class Operator : unsigned char {
    in,
    not_in,
    exists,
    does_not_exist,
    greater,
    less,
    equals,
    not_equals
  };
  struct Requirement {
    std::string key;
    Operator op = Operator::exists;
    std::vector<std::string> values;
  };
  std::vector<Requirement> requirements_;
  bool nothing_ = false;
  friend class LabelSelectorParser;
};

class FieldSelector {
 public:
  struct Term {
    std::string field, value;
    bool negated = false;
  };
  static base::Result<FieldSelector> parse(std::string_view text);
  const std::vector<Term>& terms() const { return terms_; }
  bool empty() const { return terms_.empty(); }
  // `object` read by path ("involvedObject.name"); absent is "".
  bool matches(const codec::Json& object) const;
  bool matches_text(std::string_view json) const;

 private:
  std::vector<Term> terms_;
};
// Whether a resource supports a field in selectors ("spec.nodeName" of pods, …); metadata.name and
// metadata.namespace always.
bool is_selectable_field(std::string_view group, std::string_view resource, std::string_view field);

}  // namespace skiff::api
