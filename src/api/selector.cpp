#include <skiff/api/selector.h>
#include <skiff/api/validation.h>
#include <skiff/base/strings.h>

#include <algorithm>
#include <optional>

namespace skiff::api {

using base::concat;
using base::quote;

namespace {

enum class Token : unsigned char {
  error,
  end,
  closed,
  comma,
  does_not_exist,
  double_equals,
  equals,
  greater,
  identifier,
  in,
  less,
  not_equals,
  not_in,
  open,
};

struct Scanned {
  Token token = Token::end;
  std::string literal;
};

struct Spelling {
  std::string_view text;
  Token token;
};
constexpr Spelling kSymbols[] = {
    {")", Token::closed},         {",", Token::comma},       {"!", Token::does_not_exist},
    {"==", Token::double_equals}, {"=", Token::equals},      {">", Token::greater},
    {"<", Token::less},           {"!=", Token::not_equals}, {"(", Token::open},
};

constexpr std::string_view kSpecial = "=!(),><";
constexpr std::string_view kSpace = " \t\r\n";

// Cuts the text into tokens. A run of special characters is read as the longest known symbol.
class Lexer {
 public:
  explicit Lexer(std::string_view text) : text_(text) {}

  Scanned next() {
    at_ = std::min(text_.find_first_not_of(kSpace, at_), text_.size());
    if (at_ == text_.size()) return {};
    if (kSpecial.find(text_[at_]) != std::string_view::npos) return next_symbol();
    std::size_t end = at_;
    while (end < text_.size() && kSpecial.find(text_[end]) == std::string_view::npos &&
           kSpace.find(text_[end]) == std::string_view::npos)
      ++end;
    std::string literal(text_.substr(at_, end - at_));
    at_ = end;
    if (literal == "in") return {Token::in, literal};
    if (literal == "notin") return {Token::not_in, literal};
    return {Token::identifier, literal};
  }

 private:
  Scanned next_symbol() {
    Scanned best{Token::error, ""};
    std::size_t length = 1;
    for (; at_ + length <= text_.size(); ++length) {
      std::string_view text = text_.substr(at_, length);
      if (kSpecial.find(text.back()) == std::string_view::npos) break;
      auto known = std::find_if(std::begin(kSymbols), std::end(kSymbols),
                                [&](const Spelling& s) { return s.text == text; });
      if (known != std::end(kSymbols))
        best = {known->token, std::string(text)};
      else
        break;  // every known symbol of two characters starts with a known one
    }
    at_ += best.literal.size();
    return best;
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

constexpr std::string_view kBinaryOperators = "in, notin, =, ==, !=, gt, lt";

base::Status found(std::string_view literal, std::string_view expected) {
  return base::invalid_argument(concat("found '", literal, "', expected: ", expected));
}

base::Status check_key(std::string_view key, std::string_view path) {
  auto errors = check_qualified_name(key);
  if (errors.empty()) return {};
  return base::invalid_argument(
      concat(path, ": Invalid value: ", quote(key), ": ", base::join(errors, "; ")));
}

const std::string* find_label(const Labels& labels, std::string_view key) {
  for (const auto& [name, value] : labels)
    if (name == key) return &value;
  return nullptr;
}

bool has_value(const std::vector<std::string>& values, std::string_view value) {
  return std::find(values.begin(), values.end(), value) != values.end();
}

}  // namespace

// The grammar of labels.Parse.
class LabelSelectorParser {
 public:
  using Operator = LabelSelector::Operator;
  using Requirement = LabelSelector::Requirement;

  explicit LabelSelectorParser(std::string_view text) {
    Lexer lexer(text);
    do tokens_.push_back(lexer.next());
    while (tokens_.back().token != Token::end && tokens_.back().token != Token::error);
  }

  base::Result<LabelSelector> parse() {
    LabelSelector selector;
    for (;;) {
      const Scanned next = lookahead();
      if (next.token == Token::end) break;
      if (next.token != Token::identifier && next.token != Token::does_not_exist)
        return found(next.literal, "!, identifier, or 'end of string'");
      auto requirement = parse_requirement();
      if (!requirement.is_ok())
        return requirement.status().with_context("unable to parse requirement");
      selector.requirements_.push_back(std::move(*requirement));
      const Scanned after = consume();
      if (after.token == Token::end) break;
      if (after.token != Token::comma) return found(after.literal, "',' or 'end of string'");
      const Scanned second = lookahead();
      if (second.token != Token::identifier && second.token != Token::does_not_exist)
        return found(second.literal, "identifier after ','");
    }
    std::stable_sort(selector.requirements_.begin(), selector.requirements_.end(),
                     [](const auto& a, const auto& b) { return a.key < b.key; });
    return selector;
  }

  // The rules of NewRequirement.
  static base::Result<Requirement> make(std::string key, Operator op,
                                        std::vector<std::string> values) {
    std::vector<std::string> errors;
    if (auto status = check_key(key, "key"); !status.is_ok()) errors.emplace_back(status.message());
    const bool takes_set = op == Operator::in || op == Operator::not_in;
    const bool takes_none = op == Operator::exists || op == Operator::does_not_exist;
    const bool compares = op == Operator::greater || op == Operator::less;
    const std::string printed = printed_values(values);
    auto complain = [&](std::string_view detail) {
      errors.push_back(concat("values: Invalid value: ", printed, ": ", detail));
    };
    if (takes_set && values.empty())
      complain("for 'in', 'notin' operators, values set can't be empty");
    if (takes_none && !values.empty())
      complain("values set must be empty for exists and does not exist");
    if (compares && values.size() != 1)
      complain("for 'Gt', 'Lt' operators, exactly one value is required");
    if (!takes_set && !takes_none && !compares && values.size() != 1)
      complain("exact-match compatibility requires one single value");
    for (std::size_t i = 0; compares && i < values.size(); ++i)
      if (!base::parse_int(values[i]))
        errors.push_back(concat("values[", i, "]: Invalid value: ", quote(values[i]),
                                ": for 'Gt', 'Lt' operators, the value must be an integer"));
    for (std::size_t i = 0; i < values.size(); ++i)
      if (auto bad = check_label_value(values[i]); !bad.empty())
        errors.push_back(concat("values[", i, "][", key, "]: Invalid value: ", quote(values[i]),
                                ": ", base::join(bad, "; ")));
    if (errors.size() == 1) return base::invalid_argument(errors[0]);
    if (!errors.empty()) return base::invalid_argument(concat("[", base::join(errors, ", "), "]"));
    return Requirement{std::move(key), op, std::move(values)};
  }

 private:
  static std::string printed_values(const std::vector<std::string>& values) {
    codec::Json list = codec::Json::array();
    for (const auto& value : values) list.push_back(value);
    return codec::write_json(list);
  }
  static Scanned as_value(Scanned token) {
    if (token.token == Token::in || token.token == Token::not_in) token.token = Token::identifier;
    return token;
  }
  // The last token stays for ever, so that nothing reads beyond the end.
  Scanned consume_operator() {
    Scanned token = tokens_[at_];
    if (at_ + 1 < tokens_.size()) ++at_;
    return token;
  }
  Scanned consume() { return as_value(consume_operator()); }
  Scanned lookahead() const { return as_value(tokens_[at_]); }

  base::Result<Requirement> parse_requirement() {
    Operator op = Operator::exists;
    Scanned token = consume();
    bool negated = token.token == Token::does_not_exist;
    if (negated) token = consume();
    if (token.token != Token::identifier) return found(token.literal, "identifier");
    SKIFF_RETURN_IF_ERROR(check_key(token.literal, "<nil>"));
    if (negated) return make(token.literal, Operator::does_not_exist, {});
    const Token next = lookahead().token;
    if (next == Token::end || next == Token::comma) return make(token.literal, op, {});
    SKIFF_ASSIGN_OR_RETURN(op, parse_operator());
    std::vector<std::string> values;
    if (op == Operator::in || op == Operator::not_in) {
      SKIFF_ASSIGN_OR_RETURN(values, parse_values());
    } else {
      SKIFF_ASSIGN_OR_RETURN(std::string value, parse_exact_value());
      values.push_back(std::move(value));
    }
    std::sort(values.begin(), values.end());
    values.erase(std::unique(values.begin(), values.end()), values.end());
    return make(token.literal, op, std::move(values));
  }

  base::Result<Operator> parse_operator() {
    Scanned token = consume_operator();
    switch (token.token) {
      case Token::in: return Operator::in;
      case Token::not_in: return Operator::not_in;
      case Token::equals: return Operator::equals;
      case Token::double_equals: return Operator::equals;
      case Token::not_equals: return Operator::not_equals;
      case Token::greater: return Operator::greater;
      case Token::less: return Operator::less;
      default: return found(token.literal, kBinaryOperators);
    }
  }

  base::Result<std::string> parse_exact_value() {
    const Token next = lookahead().token;
    if (next == Token::end || next == Token::comma) return std::string();
    Scanned token = consume();
    if (token.token == Token::identifier) return token.literal;
    return found(token.literal, "identifier");
  }

  base::Result<std::vector<std::string>> parse_values() {
    Scanned token = consume();
    if (token.token != Token::open)
      return base::invalid_argument(concat("found '", token.literal, "' expected: '('"));
    const Scanned next = lookahead();
    if (next.token == Token::closed) {
      consume();
      return std::vector<std::string>{""};
    }
    if (next.token != Token::identifier && next.token != Token::comma)
      return found(next.literal, "',', ')' or identifier");
    SKIFF_ASSIGN_OR_RETURN(auto values, parse_identifiers());
    if (consume().token != Token::closed) return found(next.literal, "')'");
    return values;
  }

  // "a,b", where a missing identifier is the empty value.
  base::Result<std::vector<std::string>> parse_identifiers() {
    std::vector<std::string> values;
    for (;;) {
      Scanned token = consume();
      if (token.token == Token::identifier) {
        values.push_back(token.literal);
        const Scanned next = lookahead();
        if (next.token == Token::comma) continue;
        if (next.token == Token::closed) return values;
        return found(next.literal, "',' or ')'");
      }
      if (token.token != Token::comma) return found(token.literal, "',', or identifier");
      if (values.empty()) values.emplace_back();
      const Token next = lookahead().token;
      if (next == Token::closed) {
        values.emplace_back();
        return values;
      }
      if (next == Token::comma) {
        consume();
        values.emplace_back();
      }
    }
  }

  std::vector<Scanned> tokens_;
  std::size_t at_ = 0;
};

base::Result<LabelSelector> LabelSelector::parse(std::string_view text) {
  return LabelSelectorParser(text).parse();
}

base::Result<LabelSelector> LabelSelector::from_json(const codec::Json& selector) {
  LabelSelector result;
  if (selector.is_null()) {
    result.nothing_ = true;
    return result;
  }
  for (const auto& member : selector["matchLabels"].members()) {
    SKIFF_ASSIGN_OR_RETURN(auto requirement,
                           LabelSelectorParser::make(member.key, Operator::equals,
                                                     {std::string(member.value.as_string())}));
    result.requirements_.push_back(std::move(requirement));
  }
  for (const auto& expression : selector["matchExpressions"].items()) {
    std::string_view name = expression["operator"].as_string();
    Operator op;
    if (name == "In")
      op = Operator::in;
    else if (name == "NotIn")
      op = Operator::not_in;
    else if (name == "Exists")
      op = Operator::exists;
    else if (name == "DoesNotExist")
      op = Operator::does_not_exist;
    else
      return base::invalid_argument(concat(quote(name), " is not a valid label selector operator"));
    std::vector<std::string> values;
    for (const auto& value : expression["values"].items()) values.emplace_back(value.as_string());
    SKIFF_ASSIGN_OR_RETURN(auto requirement,
                           LabelSelectorParser::make(std::string(expression["key"].as_string()), op,
                                                     std::move(values)));
    result.requirements_.push_back(std::move(requirement));
  }
  std::stable_sort(result.requirements_.begin(), result.requirements_.end(),
                   [](const auto& a, const auto& b) { return a.key < b.key; });
  return result;
}

LabelSelector LabelSelector::from_map(const codec::Json& map) {
  LabelSelector result;
  for (const auto& member : map.members())
    result.requirements_.push_back(
        {member.key, Operator::equals, {std::string(member.value.as_string())}});
  std::stable_sort(result.requirements_.begin(), result.requirements_.end(),
                   [](const auto& a, const auto& b) { return a.key < b.key; });
  return result;
}

namespace {

bool compare_holds(std::string_view label_value, std::string_view wanted, bool greater) {
  auto left = base::parse_int(label_value), right = base::parse_int(wanted);
  if (!left || !right) return false;
  return greater ? *left > *right : *left < *right;
}

}  // namespace

bool LabelSelector::matches(const Labels& labels) const {
  if (nothing_) return false;
  return std::all_of(requirements_.begin(), requirements_.end(), [&](const Requirement& r) {
    const std::string* value = find_label(labels, r.key);
    switch (r.op) {
      case Operator::in:
      case Operator::equals: return value != nullptr && has_value(r.values, *value);
      case Operator::not_in:
      case Operator::not_equals: return value == nullptr || !has_value(r.values, *value);
      case Operator::exists: return value != nullptr;
      case Operator::does_not_exist: return value == nullptr;
      case Operator::greater:
      case Operator::less:
        return value != nullptr && compare_holds(*value, r.values[0], r.op == Operator::greater);
    }
    return false;
  });
}

bool LabelSelector::matches(const codec::Json& labels_object) const {
  if (nothing_) return false;
  Labels labels;
  for (const auto& requirement : requirements_)
    if (const auto* value = labels_object.find(requirement.key); value != nullptr)
      labels.emplace_back(requirement.key, value->as_string());
  return matches(labels);
}

std::string LabelSelector::to_string() const {
  std::string text;
  for (const auto& r : requirements_) {
    if (!text.empty()) text += ',';
    if (r.op == Operator::does_not_exist) text += '!';
    text += r.key;
    switch (r.op) {
      case Operator::in: text += concat(" in (", base::join(r.values, ","), ")"); break;
      case Operator::not_in: text += concat(" notin (", base::join(r.values, ","), ")"); break;
      case Operator::equals: text += "=" + r.values[0]; break;
      case Operator::not_equals: text += "!=" + r.values[0]; break;
      case Operator::greater: text += ">" + r.values[0]; break;
      case Operator::less: text += "<" + r.values[0]; break;
      case Operator::exists:
      case Operator::does_not_exist: break;
    }
  }
  return text;
}

}  // namespace skiff::api
