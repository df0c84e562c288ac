#include "watch/tree.h"

#include <skiff/base/random.h>
#include <skiff/base/strings.h>

#include <catch2/catch.hpp>

#include <map>
#include <string>
#include <vector>

using namespace skiff;
using namespace skiff::watch;

namespace {

Ref<const Item> item(const std::string& key, store::Revision revision) {
  return Item::make(key, base::SharedBytes("v" + std::to_string(revision)), revision);
}

std::vector<std::string> keys_of(const Root& root, std::string_view prefix,
                                 std::string_view after) {
  std::vector<std::string> keys;
  base::UniqueFunction<bool(const Item&)> visit = [&](const Item& found) {
    keys.emplace_back(found.key());
    return true;
  };
  TreeReader(root.get()).scan(prefix, after, visit);
  return keys;
}

using Model = std::map<std::string, store::Revision>;

void check_same(const Root& root, const Model& model) {
  std::vector<std::string> expected;
  for (const auto& entry : model) expected.push_back(entry.first);
  REQUIRE(keys_of(root, "", "") == expected);
  TreeReader reader(root.get());
  for (const auto& [key, revision] : model) {
    const Item* found = reader.find(key);
    REQUIRE(found != nullptr);
    REQUIRE(found->revision() == revision);
  }
  for (const char* prefix : {"", "/a/", "/a/1", "/b/", "/zz", "\xff"}) {
    std::size_t count = 0;
    for (const auto& entry : model) count += base::starts_with(entry.first, prefix) ? 1 : 0;
    REQUIRE(reader.count(prefix) == count);
    REQUIRE(keys_of(root, prefix, "").size() == count);
  }
}

}  // namespace

TEST_CASE("the tree equals a map after thousands of random edits, and old roots do not change") {
  auto random = base::seeded_random(7);
  Root root;
  Model model;
  std::vector<std::pair<Root, Model>> kept;
  store::Revision revision = 0;
  for (std::uint64_t batch = 1; batch <= 600; ++batch) {
    TreeEdit edit(root, batch);
    bool shrink = (batch / 100) % 2 == 1;
    for (int i = 0; i < 20; ++i) {
      std::string key = base::concat(random->below(2) == 0 ? "/a/" : "/b/", random->below(3000));
      if (random->below(10) < (shrink ? 8u : 3u) && !model.empty()) {
        auto at = model.lower_bound(key);
        if (at == model.end()) at = model.begin();
        key = at->first;
        auto removed = edit.remove(key);
        REQUIRE(removed);
        CHECK(removed->revision() == at->second);
        model.erase(at);
        CHECK_FALSE(edit.remove(key));
      } else {
        auto previous = edit.put(item(key, ++revision));
        auto at = model.find(key);
        REQUIRE(static_cast<bool>(previous) == (at != model.end()));
        if (previous) CHECK(previous->revision() == at->second);
        model[key] = revision;
      }
    }
    root = edit.take();
    if (batch % 60 == 0) kept.emplace_back(root, model);
  }
  for (const auto& [old_root, old_model] : kept) check_same(old_root, old_model);
}

TEST_CASE("a tree is emptied and filled again") {
  Root root;
  for (std::uint64_t round = 0; round < 3; ++round) {
    TreeEdit fill(root, round * 2 + 1);
    for (int i = 0; i < 2000; ++i) fill.put(item(base::concat("/k/", i), 1));
    root = fill.take();
    CHECK(TreeReader(root.get()).count("/k/") == 2000);
    TreeEdit drain(root, round * 2 + 2);
    for (int i = 0; i < 2000; ++i) CHECK(drain.remove(base::concat("/k/", i)));
    root = drain.take();
    CHECK_FALSE(root);
  }
}

TEST_CASE("a scan begins after the given key and ends with the prefix") {
  TreeEdit edit({}, 1);
  for (const char* key : {"/a/1", "/a/2", "/a/3", "/b/1"}) edit.put(item(key, 1));
  Root root = edit.take();
  CHECK(keys_of(root, "/a/", "/a/1") == std::vector<std::string>{"/a/2", "/a/3"});
  CHECK(keys_of(root, "/a/", "/a/2x") == std::vector<std::string>{"/a/3"});
  CHECK(keys_of(root, "/a/", "/b").empty());
  CHECK(keys_of(root, "/b/", "/a/3") == std::vector<std::string>{"/b/1"});
  CHECK(keys_of(root, "/0", "").empty());
}
