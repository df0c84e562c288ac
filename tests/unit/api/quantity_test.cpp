#include <skiff/api/quantity.h>

#include <catch2/catch.hpp>

using skiff::api::Quantity;

TEST_CASE("quantities are written in upstream's canonical form") {
  const char* rows[][2] = {
      {"0", "0"},
      {"0m", "0"},
      {"0Ki", "0"},
      {"00", "0"},
      {"100m", "100m"},
      {"1000m", "1"},
      {"1500m", "1500m"},
      {"0.1", "100m"},
      {"1.5", "1500m"},
      {".5", "500m"},
      {"1.", "1"},
      {"-1.5", "-1500m"},
      {"+3", "3"},
      {"007", "7"},
      {"2.50", "2500m"},
      {"1024Mi", "1Gi"},
      {"1.5Gi", "1536Mi"},
      {"1500Ki", "1500Ki"},
      {"0.5Ki", "512"},
      {"1Ki", "1Ki"},
      {"1023Ki", "1023Ki"},
      {"0.5Mi", "512Ki"},
      {"100k", "100k"},
      {"1000k", "1M"},
      {"12000000", "12M"},
      {"1234567", "1234567"},
      {"1e3", "1e3"},
      {"1E3", "1e3"},
      {"12e6", "12e6"},
      {"1e-3", "1e-3"},
      {"5E", "5E"},
      {"1n", "1n"},
      {"0.1n", "1n"},
      {"1.1n", "2n"},
      {"-0.1n", "-1n"},
      {"100u", "100u"},
      {"0.000001", "1u"},
      {"1e-12", "1e-9"},
      {"10", "10"},
      {"1Ei", "1Ei"},
      {"0.0001Ki", "102400u"},
      {"123456Ti", "123456Ti"},
      {"9223372036854775807", "9223372036854775807"},
      {"9223372036854775808", "9223372036854775807"},
      {"8Ei", "9223372036854775807"},
      {"1e1000000000000", "9223372036854775807e0"},
  };
  for (const auto& row : rows) {
    INFO(row[0]);
    auto quantity = Quantity::parse(row[0]);
    REQUIRE(quantity.is_ok());
    std::string expected = row[1];
    if (expected.ends_with("e0")) expected.resize(expected.size() - 2);
    CHECK(quantity->to_string() == expected);
    auto again = Quantity::parse(quantity->to_string());
    REQUIRE(again.is_ok());
    CHECK(*again == *quantity);
    CHECK(again->to_string() == expected);
  }
}

TEST_CASE("what is no quantity is refused in upstream's words") {
  const char* format =
      "quantities must match the regular expression "
      "'^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";
  for (const char* text : {"", "abc", "1.2.3", "1 Gi", "1GiB", " 1", "1 ", "1e3x", "0x10"})
    CHECK(Quantity::parse(text).status().message() == format);
  for (const char* text : {"1mi", "1K", "1e", "1E-", "1ki", "1m3", "1EE", "--1", "1Kii", "12ne"})
    CHECK(Quantity::parse(text).status().message() == "unable to parse quantity's suffix");
  CHECK_FALSE(Quantity::parse(".").is_ok());
}

TEST_CASE("whole and milli values round away from zero") {
  auto value = [](const char* text) { return Quantity::parse(text)->value(); };
  auto milli = [](const char* text) { return Quantity::parse(text)->milli_value(); };
  CHECK(value("1500m") == 2);
  CHECK(value("-1500m") == -2);
  CHECK(value("1n") == 1);
  CHECK(value("1Gi") == 1073741824);
  CHECK(milli("1.5") == 1500);
  CHECK(milli("1u") == 1);
  CHECK(milli("8Ei") == INT64_MAX);
}

TEST_CASE("arithmetic keeps the format and saturates") {
  auto q = [](const char* text) { return *Quantity::parse(text); };
  CHECK((q("1Gi") + q("1Gi")).to_string() == "2Gi");
  CHECK((Quantity() + q("1Gi")).to_string() == "1Gi");
  CHECK((q("1") - q("250m")).to_string() == "750m");
  CHECK((q("8Ei") + q("8Ei")).to_string() == "9223372036854775807");
  CHECK(q("1") == q("1000m"));
  CHECK(q("1Ki") > q("1k"));
  CHECK(q("-1") < Quantity());
  CHECK(Quantity::from_milli(1500).to_string() == "1500m");
  CHECK(Quantity::from_units(INT64_MAX).value() == INT64_MAX);
}

TEST_CASE("long and hostile numbers cost little and stay in range") {
  CHECK(Quantity::parse(std::string(1'000'000, '9'))->value() == INT64_MAX);
  CHECK(Quantity::parse("0." + std::string(1'000'000, '0') + "1")->to_string() == "1n");
  CHECK(Quantity::parse(std::string(1'000'000, '9') + "Ki")->value() == INT64_MAX);
  const auto beyond = Quantity::parse("5000000000400006." + std::string(70, '0') + "1Gi");
  CHECK(*beyond == *Quantity::parse(beyond->to_string()));
  CHECK(Quantity::parse("1e-999999999999999999999")->to_string() == "1e-9");
  CHECK(Quantity::parse("0e999999999")->to_string() == "0");
}
