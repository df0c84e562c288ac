#include <skiff/api/selector.h>
#include <skiff/api/validation.h>

#include <catch2/catch.hpp>

using namespace skiff;
using api::FieldSelector;
using api::Labels;
using api::LabelSelector;

namespace {

codec::Json json(std::string_view text) { return codec::parse_json(text).value(); }

}  // namespace

TEST_CASE("label selectors match as upstream's do") {
  struct Row {
    const char* selector;
    Labels labels;
    bool matches;
  };
  const Row rows[] = {
      {"", {{"x", "y"}}, true},
      {"x=y", {{"x", "y"}}, true},
      {"x==y", {{"x", "y"}}, true},
      {"x=y,z=w", {{"x", "y"}, {"z", "w"}}, true},
      {"x!=y,z!=w", {{"x", "z"}, {"z", "a"}}, true},
      {"x!=y", {}, true},
      {"notin=in", {{"notin", "in"}}, true},
      {"x", {{"x", "z"}}, true},
      {"!x", {{"y", "z"}}, true},
      {"!x", {{"x", "z"}}, false},
      {"x>1", {{"x", "2"}}, true},
      {"x<1", {{"x", "0"}}, true},
      {"x>1", {{"x", "a"}}, false},
      {"x=z", {}, false},
      {"x in (a, b,c)", {{"x", "b"}}, true},
      {"x in ()", {{"x", ""}}, true},
      {"x in (a,)", {{"x", ""}}, true},
      {"x in (,a)", {{"x", ""}}, true},
      {"x notin (a,b)", {{"x", "c"}}, true},
      {"x notin (a,b)", {}, true},
      {"x notin (a,b)", {{"x", "a"}}, false},
      {"x=", {{"x", ""}}, true},
      {"x=,y", {{"x", ""}, {"y", "1"}}, true},
      {"  a = b , c in ( d ) ", {{"a", "b"}, {"c", "d"}}, true},
  };
  for (const auto& row : rows) {
    INFO(row.selector);
    auto selector = LabelSelector::parse(row.selector);
    REQUIRE(selector.is_ok());
    CHECK(selector->matches(row.labels) == row.matches);
    codec::Json object = codec::Json::object();
    for (const auto& [key, value] : row.labels) object.set(key, value);
    CHECK(selector->matches(object) == row.matches);
  }
}

TEST_CASE("bad label selectors are refused in upstream's words") {
  const std::string key_regex =
      "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end "
      "with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for "
      "validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
  const std::pair<std::string, std::string> rows[] = {
      {"a,", "found '', expected: identifier after ','"},
      {",a", "found ',', expected: !, identifier, or 'end of string'"},
      {"a=b c", "found 'c', expected: ',' or 'end of string'"},
      {"x in a", "unable to parse requirement: found 'a' expected: '('"},
      {"x in (a", "unable to parse requirement: found '', expected: ',' or ')'"},
      {"x in (a b)", "unable to parse requirement: found 'b', expected: ',' or ')'"},
      {"x a", "unable to parse requirement: found 'a', expected: in, notin, =, ==, !=, gt, lt"},
      {"x=(a)", "unable to parse requirement: found '(', expected: identifier"},
      {"!", "unable to parse requirement: found '', expected: identifier"},
      {"x>a",
       "unable to parse requirement: values[0]: Invalid value: \"a\": for 'Gt', 'Lt' operators, "
       "the "
       "value must be an integer"},
      {"a_=b", "unable to parse requirement: <nil>: Invalid value: \"a_\": " + key_regex},
      {"a=b_",
       "unable to parse requirement: values[0][a]: Invalid value: \"b_\": a valid label must be an "
       "empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and "
       "end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex "
       "used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"},
  };
  for (const auto& [text, message] : rows) {
    INFO(text);
    auto selector = LabelSelector::parse(text);
    REQUIRE_FALSE(selector.is_ok());
    CHECK(selector.status().message() == message);
  }
}

TEST_CASE("a label selector prints sorted and reads back the same") {
  const char* rows[][2] = {
      {"z=1,a", "a,z=1"},
      {"x in (c,a,b)", "x in (a,b,c)"},
      {"!x,y!=2,n notin (b,a),k>3,l<4", "k>3,l<4,n notin (a,b),!x,y!=2"},
  };
  for (const auto& row : rows) {
    auto selector = LabelSelector::parse(row[0]);
    REQUIRE(selector.is_ok());
    CHECK(selector->to_string() == row[1]);
    CHECK(LabelSelector::parse(row[1])->to_string() == row[1]);
  }
}

TEST_CASE("metav1.LabelSelector: null is nothing, {} everything") {
  CHECK_FALSE(LabelSelector::from_json(codec::Json())->matches(Labels{}));
  CHECK(LabelSelector::from_json(json("{}"))->matches(Labels{}));
  auto selector = LabelSelector::from_json(json(
      R"({"matchLabels":{"a":"b"},"matchExpressions":[{"key":"c","operator":"In","values":["d"]},
          {"key":"e","operator":"DoesNotExist"}]})"));
  REQUIRE(selector.is_ok());
  CHECK(selector->matches(Labels{{"a", "b"}, {"c", "d"}}));
  CHECK_FALSE(selector->matches(Labels{{"a", "b"}, {"c", "d"}, {"e", ""}}));
  CHECK(selector->to_string() == "a=b,c in (d),!e");
  CHECK(LabelSelector::from_json(json(R"({"matchExpressions":[{"key":"c","operator":"Gt"}]})"))
            .status()
            .message() == "\"Gt\" is not a valid label selector operator");
  CHECK_FALSE(
      LabelSelector::from_json(json(R"({"matchExpressions":[{"key":"c","operator":"In"}]})"))
          .is_ok());
  CHECK(LabelSelector::from_map(json(R"({"a":"b"})")).matches(Labels{{"a", "b"}, {"c", "d"}}));
}

TEST_CASE("field selectors read by path, from trees and from text") {
  const char* text = R"({"metadata":{"name":"a"},"spec":{"nodeName":"n","hostNetwork":true},
    "status":{"replicas":3},"involvedObject":{"kind":"Pod"},"source":{"component":"kubelet"}})";
  const std::pair<const char*, bool> rows[] = {
      {"metadata.name=a", true},
      {"metadata.name==a", true},
      {"metadata.name!=a", false},
      {"spec.nodeName=n,metadata.name=a", true},
      {"spec.nodeName=", false},
      {"status.phase=", true},
      {"status.phase!=Running", true},
      {"spec.hostNetwork=true", true},
      {"spec.unschedulable=false", true},
      {"status.replicas=3", true},
      {"regarding.kind=Pod", true},
      {"involvedObject.kind=Pod", true},
      {"source=kubelet", true},
      {"spec=n", false},
      {"", true},
      {",", true},
  };
  for (const auto& [selector, matches] : rows) {
    INFO(selector);
    auto parsed = FieldSelector::parse(selector);
    REQUIRE(parsed.is_ok());
    CHECK(parsed->matches(json(text)) == matches);
    CHECK(parsed->matches_text(text) == matches);
  }
}

TEST_CASE("field selectors have escapes and upstream's errors") {
  auto selector = FieldSelector::parse(R"(a=b\,c\=\\,d!=e)");
  REQUIRE(selector.is_ok());
  REQUIRE(selector->terms().size() == 2);
  CHECK(selector->terms()[0].value == "b,c=\\");
  CHECK(selector->terms()[1].negated);
  CHECK(FieldSelector::parse("a").status().message() ==
        "invalid selector: 'a'; can't understand 'a'");
  CHECK(FieldSelector::parse("a=b=c").status().message() ==
        "invalid field selector: unescaped character in value: 61");
  CHECK(FieldSelector::parse("a=\\x").status().message() ==
        "invalid field selector: invalid escape sequence: \\x");
  CHECK(FieldSelector::parse("a=b\\").status().message() ==
        "invalid field selector: invalid escape sequence: \\");
}

TEST_CASE("every resource selects by name, a few by more") {
  CHECK(api::is_selectable_field("", "configmaps", "metadata.name"));
  CHECK(api::is_selectable_field("apps", "deployments", "metadata.namespace"));
  CHECK(api::is_selectable_field("", "pods", "spec.nodeName"));
  CHECK(api::is_selectable_field("", "events", "involvedObject.uid"));
  CHECK(api::is_selectable_field("", "services", "spec.type"));
  CHECK_FALSE(api::is_selectable_field("", "pods", "spec.containers"));
  CHECK_FALSE(api::is_selectable_field("extensions", "pods", "spec.nodeName"));
}

TEST_CASE("name checks answer in upstream's sentences") {
  CHECK(api::check_dns1123_label("a-b").empty());
  CHECK(api::check_dns1123_label("a.b") == std::vector<std::string>{"must not contain dots"});
  CHECK(api::check_dns1123_label(std::string(64, 'a')) ==
        std::vector<std::string>{"must be no more than 63 bytes"});
  CHECK(api::check_dns1123_label("A") ==
        std::vector<std::string>{
            "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', "
            "and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', "
            "regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"});
  CHECK(api::check_dns1123_subdomain("a..b").size() == 1);
  CHECK(api::check_dns1035_label("1a").size() == 1);
  CHECK(api::check_qualified_name("a/b/c").size() == 1);
  CHECK(api::check_qualified_name("/b") ==
        std::vector<std::string>{"prefix part must be non-empty"});
  CHECK(api::check_qualified_name("").size() == 2);
  CHECK(api::check_label_value("").empty());
  CHECK(api::check_label_value("-").size() == 1);
}
