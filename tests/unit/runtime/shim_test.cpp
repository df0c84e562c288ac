#include <skiff/base/clock.h>
#include <skiff/base/strings.h>
#include <skiff/sys/files.h>
#include <skiff/sys/mounts.h>

#include <sys/socket.h>
#include <catch2/catch.hpp>

#include <cstring>

#include "image_fixtures.h"
#include "runtime/limits.h"
#include "runtime/shim_binary.h"
#include "runtime/shim_client.h"
#include "runtime_fixture.h"

extern "C" {
#include "runtime/shim/log.h"

static timespec now_of_test{1'700'000'000, 123};
void shim_now(timespec* now) { *now = now_of_test; }
}

using namespace skiff;
using namespace skiff::runtime;
using namespace skiff::runtime_test;

namespace {

std::string read(const std::string& path) { return sys::read_file(path, 1u << 20).value_or(""); }

shim_log make_log(const std::string& path, std::uint64_t bytes_max, unsigned files_max) {
  shim_log log{};
  log.fd = -1;
  log.bytes_max = bytes_max;
  log.files_max = files_max;
  std::memcpy(log.path, path.c_str(), path.size() + 1);
  return log;
}

std::size_t write_log(shim_log& log, const std::string& text, bool flush = false) {
  return shim_log_write(&log, "stdout", text.data(), text.size(), flush);
}

}  // namespace

TEST_CASE("the shim is not put where programs cannot run") {
  TemporaryFolder folder;
  std::string quiet = folder / "run", other = folder / "data";
  REQUIRE(sys::make_folders(quiet));
  REQUIRE(sys::make_folders(other));
  auto path = install_shim({quiet, other}).value_or("");
  CHECK(base::starts_with(path, quiet + "/shim-"));
  auto program = sys::read_file(path, kShimBytesMax).value_or("");
  CHECK(base::starts_with(program,
                          "\x7f"
                          "ELF"));
  CHECK(install_shim({quiet}).value_or("") == path);
  if (!sys::mount("tmpfs", quiet, "tmpfs", {"noexec"}).is_ok()) return;  // not root
  CHECK(base::starts_with(install_shim({quiet, other}).value_or(""), other + "/shim-"));
  auto nowhere = install_shim({quiet});
  CHECK(std::string(nowhere.status().message()).find("noexec") != std::string::npos);
  CHECK(sys::unmount(quiet));
}

TEST_CASE("the shim writes times as skiff does") {
  for (std::int64_t seconds : {0ll, 951'782'399ll, 951'782'400ll, 1'078'012'800ll, 1'700'000'000ll,
                               4'102'444'799ll, 4'107'542'400ll}) {
    char text[32];
    shim_format_time(seconds, 7, text);
    CHECK(text == base::format_rfc3339_nano({seconds * 1'000'000'000 + 7}));
  }
}

TEST_CASE("a log has whole lines, and parts of those that are too long or have no end") {
  TemporaryFolder folder;
  auto log = make_log(folder / "log", 1u << 20, 2);
  std::string prefix = "2023-11-14T22:13:20.000000123Z stdout ";
  CHECK(write_log(log, "one\ntwo\nrest") == 8);
  CHECK(read(folder / "log") == prefix + "F one\n" + prefix + "F two\n");
  CHECK(write_log(log, "rest", true) == 4);
  CHECK(base::ends_with(read(folder / "log"), prefix + "P rest\n"));
  CHECK(write_log(log, "\n") == 1);
  std::string line(SHIM_LINE_BYTES_MAX, 'x');
  CHECK(write_log(log, line) == line.size());
  auto text = read(folder / "log");
  CHECK(base::ends_with(text, prefix + "P rest\n" + prefix + "F \n" + prefix + "P " + line + "\n"));
  std::string many;
  for (int i = 0; i < 1000; ++i) many += "l\n";
  CHECK(write_log(log, many) == many.size());
  CHECK(base::split(read(folder / "log"), '\n').size() == 5 + 1000 + 1);
  close(log.fd);
}

TEST_CASE("a log is rotated at its size, the oldest file goes") {
  TemporaryFolder folder;
  auto log = make_log(folder / "log", 100, 3);
  for (int i = 0; i < 9; ++i) write_log(log, base::concat("line ", i, "\n"));
  CHECK(*sys::list_folder(folder.path) == std::vector<std::string>{"log", "log.1", "log.2"});
  CHECK(read(folder / "log").find("line 8") != std::string::npos);
  CHECK(read(folder / "log.1").find("line 7") != std::string::npos);
  CHECK(read(folder / "log.2").find("line 5") != std::string::npos);
  close(log.fd);
  auto single = make_log(folder / "single", 100, 1);
  for (int i = 0; i < 9; ++i) write_log(single, base::concat("line ", i, "\n"));
  CHECK(read(folder / "single").size() <= 100);
  CHECK_FALSE(sys::path_exists(folder / "single.1"));
  close(single.fd);
}

TEST_CASE("a log that cannot be written is dropped, and goes on later") {
  TemporaryFolder folder;
  auto log = make_log(folder / "missing/log", 1000, 2);
  CHECK(write_log(log, "lost\n") == 5);
  REQUIRE(sys::make_folders(folder / "missing").is_ok());
  CHECK(write_log(log, "kept\n") == 5);
  CHECK(read(folder / "missing/log").find("kept") != std::string::npos);
  close(log.fd);
  auto full = make_log("/dev/full", 1000, 2);
  CHECK(write_log(full, "lost\n") == 5);
  close(full.fd);
}

TEST_CASE("messages survive the way, bad ones are refused") {
  ShimRequest request(SHIM_CREATE);
  request.text(SHIM_TAG_ID, "c1").number(SHIM_TAG_LOG_BYTES, 7).arguments({"a", "b"});
  auto bytes = request.bytes();
  auto* data = reinterpret_cast<const unsigned char*>(bytes.data());
  shim_message message;
  REQUIRE(shim_parse(data, bytes.size(), &message) == 0);
  char text[8];
  CHECK(shim_text(&message, SHIM_TAG_ID, text, sizeof text) == 0);
  CHECK(std::string(text) == "c1");
  CHECK(shim_text(&message, SHIM_TAG_ID, text, 2) != 0);
  CHECK(shim_text(&message, SHIM_TAG_TEXT, text, sizeof text) != 0);
  CHECK(shim_number(&message, SHIM_TAG_LOG_BYTES) == 7);
  CHECK(shim_number(&message, SHIM_TAG_ID) == 0);
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    // Cut at a field's end it is a shorter message, else none.
    if (shim_parse(data, size, &message) == 0) CHECK(message.count < 4);
  }
  ShimRequest large(SHIM_CREATE);
  for (int i = 0; i < 20; ++i) large.text(SHIM_TAG_ARG, std::string(1000, 'x'));
  CHECK(large.is_too_large());
}

TEST_CASE("a supervisor outlives clients that speak nonsense, crowd it or hang up") {
  if (!can_run_containers()) return;
  RuntimeFixture fixture;
  fixture.create_pod("p1");
  std::string folder = fixture.folder / "run/pods/p1";
  std::vector<base::UniqueFd> crowd;
  for (int i = 0; i < 40; ++i) {
    auto fd = connect_shim(folder);
    REQUIRE(fd.is_ok());
    std::string junk(static_cast<std::size_t>(1 + i * 400), static_cast<char>(i));
    (void)send(fd->get(), junk.data(), junk.size(), MSG_NOSIGNAL);
    if (i % 2 == 0) crowd.push_back(std::move(*fd));
  }
  crowd.clear();
  for (int type :
       std::initializer_list<int>{SHIM_CREATE, SHIM_EXEC, SHIM_CONSOLE, SHIM_ATTACH, SHIM_RESIZE,
                                  SHIM_FORGET, SHIM_STATUS, SHIM_EXITED, 77}) {
    auto reply = ask_shim(folder, ShimRequest(static_cast<shim_type>(type)), {}, 5000);
    CHECK_FALSE(reply.is_ok());
    CHECK(reply.code() != base::Code::deadline_exceeded);
  }
  ShimRequest endless(SHIM_CREATE);
  endless.text(SHIM_TAG_ID, "x").text(SHIM_TAG_PID_FILE, "/p").text(SHIM_TAG_EXIT_FILE, "/e");
  CHECK_FALSE(ask_shim(folder, endless, {}, 5000).is_ok());
  fixture.run(fixture.container_options("c1", "p1", "exit 4"));
  CHECK(fixture.wait_exit("c1").exit_code == 4);
}
