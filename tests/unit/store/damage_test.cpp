// Torn and altered files: what is damaged is named and set aside, the rest is served.
#include "support/store_fixture.h"

#include <skiff/base/strings.h>

#include <catch2/catch.hpp>

#include <sqlite3.h>
#include <filesystem>
#include <fstream>

using namespace skiff;
using test::put;

namespace {

std::string read_all(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

void write_all(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}

void fill(const std::string& folder, int count) {
  test::SqliteFixture fixture(folder);
  REQUIRE(fixture.open().is_ok());
  std::vector<store::Write> writes;
  for (int i = 0; i < count; ++i)
    writes.push_back(put(base::concat("/core/configmaps/n/", 1000 + i),
                         base::concat("value-", 1000 + i, std::string(700, '.'))));
  for (const auto& answer : fixture.commit_all(std::move(writes))) REQUIRE(answer);
  REQUIRE(fixture.close().is_ok());
}

}  // namespace

TEST_CASE("an altered record is named and set aside, once") {
  test::TemporaryFolder folder;
  fill(folder.path(), 50);
  std::string path = folder.path() + "/state.db";
  std::string bytes = read_all(path);
  std::size_t at = bytes.find("value-1007");
  REQUIRE(at != std::string::npos);
  bytes[at] = 'V';
  write_all(path, bytes);

  test::SqliteFixture fixture(folder.path());
  REQUIRE(fixture.open().is_ok());
  REQUIRE(fixture.loaded.damaged.size() == 1);
  CHECK(fixture.loaded.damaged[0].key == "/core/configmaps/n/1007");
  CHECK(fixture.loaded.damaged[0].reason == "the checksum does not match");
  CHECK(fixture.records.size() == 49);
  CHECK(fixture.commit(put("/core/configmaps/n/1007", "again", store::Durability::durable, 0)));
  CHECK(fixture.commit(put("/core/configmaps/n/1008", "on")));
  REQUIRE(fixture.close().is_ok());

  test::SqliteFixture again(folder.path());
  REQUIRE(again.open().is_ok());
  CHECK(again.loaded.damaged.empty());
  CHECK(again.records.size() == 50);
  CHECK(again.records["/core/configmaps/n/1007"].value == "again");
}

TEST_CASE("whatever page is torn, the store opens or says data_loss, and what it gives is right") {
  test::TemporaryFolder folder;
  constexpr int kRecords = 16;
  fill(folder.path(), kRecords);
  std::string path = folder.path() + "/state.db";
  std::string whole = read_all(path);
  std::size_t pages = whole.size() / 2048;
  REQUIRE(pages > 15);
  int opened = 0;
  int mostly_whole = 0;
  for (std::size_t page = 0; page < pages; ++page) {
    INFO("page " << page);
    for (const auto& entry : std::filesystem::directory_iterator(folder.path()))
      std::filesystem::remove(entry);
    std::string torn = whole;
    for (std::size_t i = 0; i < 1024; ++i) torn[page * 2048 + i] = static_cast<char>(i * 7 + 1);
    write_all(path, torn);
    test::SqliteFixture fixture(folder.path());
    auto status = fixture.open();
    if (!status.is_ok()) {
      CHECK(status.code() == base::Code::data_loss);
      continue;
    }
    ++opened;
    for (const auto& [key, record] : fixture.records)
      CHECK(record.value.substr(0, 10) == "value-" + key.substr(key.size() - 4));
    mostly_whole += fixture.records.size() >= kRecords - 2u ? 1 : 0;
    CHECK(fixture.records.size() + fixture.loaded.damaged.size() >= kRecords);
    std::vector<store::Write> writes;
    for (int i = 0; i < kRecords; ++i)
      writes.push_back(put(base::concat("/core/configmaps/n/", 1000 + i), "value-new"));
    for (const auto& answer : fixture.commit_all(std::move(writes))) CHECK(answer);
    REQUIRE(fixture.close().is_ok());
  }
  // The schema's page and a branch page cost more than their neighbours.
  CHECK(opened >= static_cast<int>(pages) - 1);
  CHECK(mostly_whole >= static_cast<int>(pages) - 3);
}

TEST_CASE("a file that is no database, and one of a newer format, are refused with a sentence") {
  test::TemporaryFolder folder;
  write_all(folder.path() + "/state.db", std::string(8192, 'z'));
  test::SqliteFixture fixture(folder.path());
  CHECK(fixture.open().code() == base::Code::data_loss);

  std::filesystem::remove(folder.path() + "/state.db");
  REQUIRE(fixture.open().is_ok());
  REQUIRE(fixture.close().is_ok());
  sqlite3* db = nullptr;
  REQUIRE(sqlite3_open((folder.path() + "/state.db").c_str(), &db) == SQLITE_OK);
  REQUIRE(sqlite3_exec(db, "PRAGMA user_version=99", nullptr, nullptr, nullptr) == SQLITE_OK);
  sqlite3_close(db);
  auto status = fixture.open();
  CHECK(status.code() == base::Code::data_loss);
  CHECK(status.message().find("newer") != std::string_view::npos);
}
