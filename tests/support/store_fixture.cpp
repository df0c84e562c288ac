#include "support/store_fixture.h"

#include <skiff/base/strings.h>

#include <cstdlib>
#include <filesystem>

namespace skiff::test {

TemporaryFolder::TemporaryFolder() {
  std::string pattern = (std::filesystem::temp_directory_path() / "skiff-test-XXXXXX").string();
  SKIFF_ASSERT(::mkdtemp(pattern.data()) != nullptr);
  path_ = pattern;
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

store::Write put(std::string key, std::string_view value, store::Durability durability,
                 std::optional<store::Revision> expected) {
  store::Write write;
  write.key = std::move(key);
  write.value = base::SharedBytes(value);
  write.durability = durability;
  write.expected = expected;
  return write;
}

store::Write removal(std::string key, store::Durability durability,
                     std::optional<store::Revision> expected) {
  store::Write write;
  write.op = store::Write::Op::remove;
  write.key = std::move(key);
  write.durability = durability;
  write.expected = expected;
  return write;
}

SqliteFixture::SqliteFixture(std::string folder_path, const char* vfs)
    : folder(std::move(folder_path)) {
  options.folder = folder;
  options.vfs = vfs;
}

base::Status SqliteFixture::open() {
  auto opened = store::open_sqlite_store(options, *this);
  SKIFF_RETURN_IF_ERROR(opened);
  store = std::move(*opened);
  records.clear();
  load_order.clear();
  events.clear();
  auto read = store->load([this](store::Record record) {
    load_order.push_back(record.key);
    records[record.key] = {std::string(record.value.view()), record.revision};
  });
  SKIFF_RETURN_IF_ERROR(read);
  loaded = std::move(*read);
  store->set_event_sink([this](std::vector<store::Event> group, store::Revision) {
    for (auto& event : group) events.push_back(std::move(event));
  });
  return {};
}

base::Result<store::Revision> SqliteFixture::commit(store::Write write) {
  return executor.run(store->commit(std::move(write)));
}

namespace {

using Answers = std::vector<std::optional<base::Result<store::Revision>>>;

base::Task<void> commit_one(store::Store* store, store::Write write, Answers* answers,
                            std::size_t index, std::size_t* left) {
  auto answer = co_await store->commit(std::move(write));
  (*answers)[index].emplace(std::move(answer));
  --*left;
}

}  // namespace

std::vector<base::Result<store::Revision>> SqliteFixture::commit_all(
    std::vector<store::Write> writes) {
  Answers answers(writes.size());
  std::size_t left = writes.size();
  for (std::size_t i = 0; i < writes.size(); ++i)
    base::spawn_detached(executor,
                         commit_one(store.get(), std::move(writes[i]), &answers, i, &left));
  while (left > 0) executor.run_one();
  std::vector<base::Result<store::Revision>> in_order;
  for (auto& answer : answers) in_order.push_back(std::move(*answer));
  return in_order;
}

base::Status SqliteFixture::close() {
  auto status = store->close();
  store.reset();
  return status;
}

void SqliteFixture::settle() {
  // The writer works in order: a refused commit answers after everything before it.
  auto refused = commit(removal("/nothing/here/"));
  SKIFF_ASSERT(!refused.is_ok());
}

}  // namespace skiff::test
