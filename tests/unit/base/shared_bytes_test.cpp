#include <skiff/base/shared_bytes.h>

#include <catch2/catch.hpp>

#include <memory>
#include <string>

using skiff::base::SharedBytes;

TEST_CASE("copies share one buffer, also after the first is gone", "[base]") {
  auto first = std::make_unique<SharedBytes>("text");
  SharedBytes second(*first);
  CHECK(second.same_buffer(*first));
  first.reset();
  CHECK(second.view() == "text");
}

TEST_CASE("adopted text is not copied, and lives as long as the last who shares it", "[base]") {
  std::string text(100, 'x');
  const char* where = text.data();
  auto first = std::make_unique<SharedBytes>(SharedBytes::adopt(std::move(text)));
  CHECK(first->view().data() == where);
  SharedBytes second = *first;
  first.reset();
  CHECK(second.view() == std::string(100, 'x'));
  CHECK(second.size() == 100);
}

TEST_CASE("nothing owns nothing", "[base]") {
  CHECK(SharedBytes::adopt({}).empty());
  CHECK(SharedBytes::concat({}, {}).empty());
  CHECK(SharedBytes::concat("a", "b").view() == "ab");
}
