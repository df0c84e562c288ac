#include <skiff/http/message.h>

#include <catch2/catch.hpp>

using namespace skiff;

TEST_CASE("headers compare names without case and keep repeats in order") {
  http::Headers headers;
  headers.add("Accept", "a");
  headers.add("accept", "b");
  headers.add("X", "1");
  CHECK(headers.get("ACCEPT") == "a");
  CHECK(headers.get_all("Accept").size() == 2);
  headers.set("accept", "c");
  CHECK(headers.get_all("Accept").size() == 1);
  CHECK(headers.get("accept") == "c");
  headers.remove("x");
  CHECK(!headers.has("X"));
}

TEST_CASE("queries are decoded as Go decodes them") {
  auto query = http::parse_query("a=1&b=x%20y+z&&c&a=2&%64=%3D");
  REQUIRE(query);
  http::Query expected = {{"a", "1"}, {"b", "x y z"}, {"c", ""}, {"a", "2"}, {"d", "="}};
  CHECK(*query == expected);
  CHECK(http::parse_query("a=%zz").status().message() == "invalid URL escape \"%zz\"");
  CHECK(!http::parse_query("a=%2"));
  CHECK(!http::parse_query("a;b=1"));
  CHECK(*http::percent_decode("a+b%2fc") == "a+b/c");
  CHECK(http::percent_encode("a b/~ä") == "a%20b%2F~%C3%A4");
}

TEST_CASE("a request knows its path and its query") {
  http::Request request;
  request.target = "/api/v1?watch=1?x";
  CHECK(request.path() == "/api/v1");
  CHECK(request.raw_query() == "watch=1?x");
  request.target = "/api";
  CHECK(request.raw_query().empty());
}
