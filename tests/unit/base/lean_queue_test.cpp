#include <skiff/base/lean_queue.h>

#include <catch2/catch.hpp>

#include <algorithm>
#include <deque>
#include <memory>
#include <string>

using namespace skiff;

TEST_CASE("a lean queue gives what it was given, in order") {
  base::LeanQueue<std::string> queue;
  std::deque<std::string> expected;
  int next = 0;
  // It grows, shrinks to a few, grows again and runs dry.
  for (int round : {5, -3, 200, -150, 90, -140, -2, 3, -3, 70, -70}) {
    for (int i = 0; i < round; ++i) {
      queue.push_back(std::to_string(next));
      expected.push_back(std::to_string(next++));
    }
    for (int i = 0; i < -round; ++i) {
      REQUIRE(queue.front() == expected.front());
      queue.pop_front();
      expected.pop_front();
    }
    REQUIRE(queue.size() == expected.size());
    CHECK(queue.empty() == expected.empty());
    CHECK(std::equal(queue.begin(), queue.end(), expected.begin(), expected.end()));
    for (std::size_t i = 0; i < expected.size(); ++i) REQUIRE(queue[i] == expected[i]);
  }
}

TEST_CASE("a lean queue lets go of what was taken") {
  base::LeanQueue<std::shared_ptr<int>> queue;
  auto first = std::make_shared<int>(1);
  queue.push_back(first);
  queue.push_back(std::make_shared<int>(2));
  queue.pop_front();
  CHECK(first.use_count() == 1);
  auto second = queue.front();
  queue.clear();
  CHECK(queue.empty());
  CHECK(second.use_count() == 1);
}
