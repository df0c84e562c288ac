#include <skiff/base/strings.h>
#include <skiff/runtime/image.h>
#include <skiff/sys/files.h>
#include <skiff/sys/mounts.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>
#include <catch2/catch.hpp>

#include "image_fixtures.h"
#include "runtime/image/layer.h"
#include "runtime/image/manifest.h"
#include "runtime/image/sha256.h"
#include "runtime/image/store.h"
#include "runtime/image/tree_copy.h"
#include "runtime/limits.h"

using namespace skiff;
using namespace skiff::runtime;
using namespace skiff::runtime_test;
using base::concat;

namespace {

base::UniqueFd open_folder(const std::string& path) {
  return base::UniqueFd(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

base::Result<Unpacked> unpack(const TemporaryFolder& folder, const std::string& bytes,
                              UnpackOptions options = {true, 10u << 20, 1000}) {
  write_file(folder / "archive", bytes);
  REQUIRE(sys::make_folders(folder / "root").is_ok());
  base::UniqueFd fd(open((folder / "archive").c_str(), O_RDONLY | O_CLOEXEC));
  auto root = open_folder(folder / "root");
  return unpack_archive(fd.get(), root.get(), options);
}

std::string content(const std::string& path) {
  auto text = sys::read_file(path, 1u << 20);
  return text.is_ok() ? *text : "(none)";
}

struct stat info_of(const std::string& path) {
  struct stat info {};
  REQUIRE(lstat(path.c_str(), &info) == 0);
  return info;
}

std::unique_ptr<ImageService> open_service(const TemporaryFolder& folder) {
  auto service = make_image_service({folder / "data", ""});
  REQUIRE(service.is_ok());
  return std::move(*service);
}

}  // namespace

TEST_CASE("sha256 of known texts") {
  CHECK(sha256_hex("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(sha256_hex("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(sha256_hex(std::string(1'000'000, 'a')) ==
        "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
  for (std::size_t size : {55u, 56u, 63u, 64u, 65u, 119u, 120u, 128u}) {
    std::string text(size, 'x');
    Sha256 piecewise;
    for (char c : text) piecewise.update({&c, 1});
    CHECK(piecewise.finish_hex() == sha256_hex(text));
  }
}

TEST_CASE("image names are normalised as Docker does") {
  auto full = [](std::string_view text) {
    auto reference = parse_image_reference(text);
    return reference.is_ok() ? reference->to_string() : std::string(reference.status().message());
  };
  CHECK(full("nginx") == "docker.io/library/nginx:latest");
  CHECK(full("user/app:1") == "docker.io/user/app:1");
  CHECK(full("index.docker.io/nginx") == "docker.io/library/nginx:latest");
  CHECK(full("localhost/app") == "localhost/app:latest");
  CHECK(full("127.0.0.1:5000/a/b__c-d.e:v1.2") == "127.0.0.1:5000/a/b__c-d.e:v1.2");
  CHECK(full("[::1]:5000/a") == "[::1]:5000/a:latest");
  std::string digest = "sha256:" + std::string(64, 'a');
  CHECK(full("nginx@" + digest) == "docker.io/library/nginx@" + digest);
  CHECK(full("nginx:1@" + digest) == "docker.io/library/nginx:1@" + digest);
}

TEST_CASE("bad image names are refused in upstream's words") {
  auto message = [](std::string_view text) {
    auto reference = parse_image_reference(text);
    return reference.is_ok() ? "ok" : std::string(reference.status().message());
  };
  // The whole name, with what was left out of it, is at most as long as what may be written.
  const std::string long_name = std::string(400, 'a') + ".example/" + std::string(100, 'b');
  CHECK(message(long_name + ":1") == "ok");
  CHECK(message(long_name) != "ok");
  CHECK(message("UPPER/..") == "couldn't parse image name \"UPPER/..\": invalid reference format");
  for (std::string bad :
       {std::string(), std::string("a:"), std::string("A"), std::string("a//b"), std::string("a b"),
        std::string(":tag"), std::string("a@sha256:12"), std::string("a:b:c"), std::string("-a"),
        std::string("a___b"), std::string("a..b"), std::string("reg:99999999/a"),
        std::string(600, 'a'), std::string("a:") + std::string(129, 'x'), std::string("a\0b", 3)})
    CHECK(message(bad) != "ok");
}

TEST_CASE("a layer is unpacked with owners, modes, links, devices and attributes") {
  if (geteuid() != 0) return;
  TemporaryFolder folder;
  std::string tar = make_tar({{"./", '5', "", "", 0755},
                              {"etc/", '5', "", "", 0750, 5, 6},
                              {"etc/passwd", '0', "root", "", 0640, 1, 2, {{"user.a", "b"}}},
                              {"bin/su", '0', "x", "", 04755},
                              {"etc/hard", '1', "", "etc/passwd"},
                              {"etc/link", '2', "", "/etc/passwd", 0777, 7, 7},
                              {"dev/null", '3', "", "", 0666, 0, 0, {}, 1, 3},
                              {std::string(150, 'n'), '0', "long"}});
  for (const auto& bytes : {tar, compress(tar, "gzip"), compress(tar, "zstd")}) {
    TemporaryFolder own;
    auto unpacked = unpack(own, bytes);
    REQUIRE(unpacked.is_ok());
    CHECK(unpacked->diff_id == digest_of(tar));
    CHECK(content(own / "root/etc/passwd") == "root");
    CHECK((info_of(own / "root/bin/su").st_mode & 07777) == 04755);
    CHECK(info_of(own / "root/etc").st_uid == 5);
    CHECK(info_of(own / "root/etc").st_mtime == 1'700'000'000);
    CHECK(info_of(own / "root/etc/passwd").st_gid == 2);
    CHECK(info_of(own / "root/etc/passwd").st_nlink == 2);
    CHECK(info_of(own / "root/etc/link").st_uid == 7);
    CHECK(S_ISCHR(info_of(own / "root/dev/null").st_mode));
    CHECK(content(own / ("root/" + std::string(150, 'n'))) == "long");
    char value[8] = {};
    CHECK(getxattr((own / "root/etc/passwd").c_str(), "user.a", value, sizeof value) == 1);
  }
}

TEST_CASE("whiteouts and opaque folders become overlayfs's") {
  if (geteuid() != 0) return;
  TemporaryFolder folder;
  REQUIRE(unpack(folder, make_tar({{"a/.wh.gone", '0', ""},
                                   {"b/.wh..wh..opq", '0', ""},
                                   {"c/kept", '0', "x"},
                                   {".wh.c", '0', ""},
                                   {".wh.d", '0', ""},
                                   {"d", '5', "", "", 0755},
                                   {".wh..wh.aufs", '0', ""}}))
              .is_ok());
  auto info = info_of(folder / "root/a/gone");
  CHECK(S_ISCHR(info.st_mode));
  CHECK(info.st_rdev == 0);
  auto opaque = [&](const std::string& name) {
    char value = 0;
    return getxattr((folder / name).c_str(), "trusted.overlay.opaque", &value, 1) == 1 &&
           value == 'y';
  };
  CHECK(opaque("root/b"));
  CHECK(opaque("root/c"));
  CHECK(opaque("root/d"));
  CHECK(content(folder / "root/c/kept") == "x");
  CHECK_FALSE(sys::path_exists(folder / "root/.wh..wh.aufs"));
}

TEST_CASE("a layer cannot write outside its folder") {
  if (geteuid() != 0) return;
  TemporaryFolder folder;
  auto refused = [&](const std::vector<TarEntry>& entries) {
    return unpack(folder, make_tar(entries)).code();
  };
  CHECK(refused({{"../escape", '0', "x"}}) == base::Code::invalid_argument);
  CHECK(refused({{"a/../../escape", '0', "x"}}) == base::Code::invalid_argument);
  CHECK(unpack(folder, make_tar({{"/absolute", '0', "x"},
                                 {"up", '2', "", "../.."},
                                 {"up/escape", '0', "x"},
                                 {"tmp", '2', "", folder.path},
                                 {"hard", '1', "", "../../../../etc/passwd"}}))
            .code() == base::Code::not_found);
  CHECK(content(folder / "root/absolute") == "x");
  CHECK(content(folder / "root/escape") == "x");
  CHECK_FALSE(sys::path_exists(folder / "escape"));
  CHECK_FALSE(sys::path_exists("/absolute"));
  // A file that replaces a link is a file of its own, it does not write through it.
  TemporaryFolder other;
  write_file(other / "victim", "old");
  REQUIRE(unpack(other, make_tar({{"f", '2', "", other / "victim"}, {"f", '0', "new"}})).is_ok());
  CHECK(content(other / "victim") == "old");
  CHECK(content(other / "root/f") == "new");
}

TEST_CASE("deep paths are made up to a limit") {
  TemporaryFolder folder;
  std::string deep;
  for (int i = 0; i < 200; ++i) deep += "d/";
  CHECK(unpack(folder, make_tar({{deep + "file", '0', "x"}})).is_ok());
  CHECK(content(folder / ("root/" + deep + "file")) == "x");
  for (int i = 0; i < 1000; ++i) deep += "d/";
  CHECK(unpack(folder, make_tar({{deep + "file", '0', "x"}})).code() ==
        base::Code::invalid_argument);
}

TEST_CASE("forged overlay attributes of a layer are dropped") {
  if (geteuid() != 0) return;
  TemporaryFolder folder;
  REQUIRE(
      unpack(folder,
             make_tar({{"d",
                        '5',
                        "",
                        "",
                        0755,
                        0,
                        0,
                        {{"trusted.overlay.redirect", "/etc"}, {"trusted.overlay.opaque", "y"}}}}))
          .is_ok());
  char value[8];
  CHECK(getxattr((folder / "root/d").c_str(), "trusted.overlay.opaque", value, 8) < 0);
  CHECK(getxattr((folder / "root/d").c_str(), "trusted.overlay.redirect", value, 8) < 0);
}

TEST_CASE("bombs and damaged layers are refused") {
  TemporaryFolder folder;
  std::string bomb = compress(make_tar({{"zeros", '0', std::string(20u << 20, '\0')}}), "gzip");
  CHECK(bomb.size() < 100'000);
  CHECK(unpack(folder, bomb).code() == base::Code::too_large);
  CHECK(unpack(folder, make_tar({{"a", '0', ""}, {"b", '0', ""}}), {true, 1u << 20, 1}).code() ==
        base::Code::too_large);
  CHECK_FALSE(unpack(folder, "this is no archive at all").is_ok());
  std::string cut = compress(make_tar({{"a", '0', std::string(50'000, 'x')}}), "gzip");
  cut.resize(cut.size() / 2);
  CHECK_FALSE(unpack(folder, cut).is_ok());
  auto empty = unpack(folder, "");
  REQUIRE(empty.is_ok());
  CHECK(empty->diff_id == digest_of(""));
}

TEST_CASE("images come from docker archives, OCI archives and OCI folders") {
  if (geteuid() != 0) return;
  auto image = make_image({make_tar({{"hello", '0', "one"}}), make_tar({{"more", '0', "two"}})},
                          R"("User":"web","Env":["A=b"],"Entrypoint":["/bin/x"],"Cmd":["y"],)"
                          R"("WorkingDir":"/w","StopSignal":"SIGQUIT")");
  std::string docker = make_docker_archive(image, "web:1");
  std::string oci = make_oci_archive(image, "example.com/web:1");
  for (const auto& [bytes, name] : {std::pair(docker, "docker.io/library/web:1"),
                                    {compress(docker, "gzip"), "docker.io/library/web:1"},
                                    {compress(docker, "zstd"), "docker.io/library/web:1"},
                                    {oci, "example.com/web:1"},
                                    {compress(oci, "zstd"), "example.com/web:1"}}) {
    TemporaryFolder folder;
    write_file(folder / "image.tar", bytes);
    auto service = open_service(folder);
    auto images = service->import(folder / "image.tar");
    REQUIRE(images.is_ok());
    REQUIRE(images->size() == 1);
    auto found = service->find(name);
    REQUIRE(found.is_ok());
    CHECK(found->id == digest_of(image.config));
    CHECK(found->pinned);
    CHECK(found->config.user == "web");
    CHECK(found->config.entrypoint == std::vector<std::string>{"/bin/x"});
    CHECK(found->config.stop_signal == "SIGQUIT");
    CHECK(service->find(found->id).is_ok());
    CHECK(sys::list_folder(folder / "data/snapshots/tmp")->empty());
    CHECK(sys::list_folder(folder / "data/snapshots/l")->size() == 2);
    CHECK(service->bytes_used() > 0);
    CHECK(service->find("other").code() == base::Code::not_found);
  }
  TemporaryFolder folder;
  REQUIRE(unpack(folder, oci).is_ok());
  auto service = open_service(folder);
  REQUIRE(service->import(folder / "root").is_ok());
  auto found = service->find("example.com/web@" + digest_of(image.manifest));
  REQUIRE(found.is_ok());
  CHECK(service->remove(found->id).is_ok());
  CHECK(service->remove(found->id).code() == base::Code::not_found);
  CHECK(sys::list_folder(folder / "data/snapshots/l")->empty());
  CHECK(service->list().empty());
}

TEST_CASE("imports that lie about their content are refused and leave nothing") {
  if (geteuid() != 0) return;
  TemporaryFolder folder;
  auto service = open_service(folder);
  auto refused = [&](const std::string& bytes) {
    write_file(folder / "bad.tar", bytes);
    auto result = service->import(folder / "bad.tar");
    CHECK(sys::list_folder(folder / "data/snapshots/tmp")->empty());
    CHECK(service->list().empty());
    return result.code();
  };
  auto image = make_image({make_tar({{"hello", '0', "one"}})}, "");
  auto altered = image;
  altered.layers[0] = make_tar({{"hello", '0', "evil"}});
  CHECK(refused(make_docker_archive(altered, "web:1")) == base::Code::data_loss);
  CHECK(refused(make_docker_archive(image, "BAD NAME")) == base::Code::invalid_argument);
  CHECK(refused(make_tar({{"x", '0', "y"}})) == base::Code::invalid_argument);
  CHECK(refused("rubbish") == base::Code::invalid_argument);
  CHECK(refused(make_tar({{"manifest.json", '0', "[{\"Config\":\"../../../../etc/passwd\"}]"}})) !=
        base::Code::ok);
  CHECK(refused(make_tar({{"manifest.json", '2', "", "/etc/passwd"}})) != base::Code::ok);
  CHECK(refused(make_tar({{"manifest.json", '0', std::string(200'000, '[')}})) != base::Code::ok);
  CHECK(service->import(folder / "missing.tar").code() == base::Code::not_found);
}

TEST_CASE("a name moves to the image that was imported last; records survive a restart") {
  if (geteuid() != 0) return;
  TemporaryFolder folder;
  auto first = make_image({make_tar({{"a", '0', "1"}})}, "");
  auto second = make_image({make_tar({{"a", '0', "2"}})}, "");
  {
    auto service = open_service(folder);
    for (const auto& image : {first, second}) {
      write_file(folder / "i.tar", make_docker_archive(image, "web:1"));
      REQUIRE(service->import(folder / "i.tar").is_ok());
    }
  }
  auto service = open_service(folder);
  CHECK(service->list().size() == 2);
  CHECK(service->find("web:1")->id == digest_of(second.config));
  CHECK(service->find(digest_of(first.config))->names.empty());
  write_file(folder / concat("data/content/images/", digest_of(first.config).substr(7), ".json"),
             "{torn");
  CHECK(service->list().size() == 1);
  CHECK(service->find(digest_of(first.config)).code() == base::Code::data_loss);
}

TEST_CASE("a snapshot shows the layers, keeps writes apart and guards its layers") {
  if (geteuid() != 0) return;
  TemporaryFolder folder;
  auto service = open_service(folder);
  auto image = make_image(
      {make_tar({{"a", '0', "1"}, {"b", '0', "1"}, {"d/x", '0', "x"}}),
       make_tar(
           {{"a", '0', "2"}, {".wh.b", '0', ""}, {"d/.wh..wh..opq", '0', ""}, {"d/y", '0', "y"}})},
      "");
  write_file(folder / "i.tar", make_docker_archive(image, "web:1"));
  REQUIRE(service->import(folder / "i.tar").is_ok());
  ImageStore store(folder / "data");
  auto record = store.load(digest_of(image.config));
  REQUIRE(record.is_ok());
  auto root = store.make_snapshot("c1", *record);
  REQUIRE(root.is_ok());
  CHECK(content(*root + "/a") == "2");
  CHECK_FALSE(sys::path_exists(*root + "/b"));
  CHECK(*sys::list_folder(*root + "/d") == std::vector<std::string>{"y"});
  write_file(*root + "/a", "3");
  CHECK(content(store.layer_path(record->diff_ids[1]) + "/a") == "2");
  REQUIRE(service->remove(record->image.id).is_ok());
  CHECK(store.has_layer(record->diff_ids[0]));
  REQUIRE(store.remove_snapshot("c1").is_ok());
  CHECK(store.remove_snapshot("c1").is_ok());
  // The copy that stands in for overlayfs gives the same view.
  REQUIRE(sys::make_folders(folder / "copy").is_ok());
  auto to = open_folder(folder / "copy");
  for (const auto& id : record->diff_ids) {
    auto from = open_folder(store.layer_path(id));
    REQUIRE(copy_layer_over(from.get(), to.get()).is_ok());
  }
  CHECK(content(folder / "copy/a") == "2");
  CHECK_FALSE(sys::path_exists(folder / "copy/b"));
  CHECK(*sys::list_folder(folder / "copy/d") == std::vector<std::string>{"y"});
}

TEST_CASE("manifests are bounded and checked") {
  std::string digest = "sha256:" + std::string(64, 'a');
  std::string config = concat("\"config\":{\"digest\":\"", digest, "\",\"size\":1}");
  CHECK(parse_manifest(concat("{\"schemaVersion\":2,", config, ",\"layers\":[]}")).is_ok());
  CHECK(parse_manifest("{\"schemaVersion\":1}").code() == base::Code::unimplemented);
  CHECK_FALSE(parse_manifest("[]").is_ok());
  CHECK_FALSE(parse_manifest("{\"schemaVersion\":2}").is_ok());
  CHECK_FALSE(parse_manifest(concat("{\"schemaVersion\":2,", config, ",\"layers\":[{}]}")).is_ok());
  std::string layers;
  for (std::size_t i = 0; i <= kLayersMax; ++i)
    layers += concat(i == 0 ? "" : ",", "{\"digest\":\"", digest, "\",\"size\":1}");
  CHECK(parse_manifest(concat("{\"schemaVersion\":2,", config, ",\"layers\":[", layers, "]}"))
            .code() == base::Code::too_large);
  CHECK_FALSE(parse_manifest(std::string(kManifestBytesMax + 1, ' ')).is_ok());
  CHECK_FALSE(parse_image_config("{\"rootfs\":{\"diff_ids\":[\"../../x\"]}}").is_ok());
}

TEST_CASE("the machine's platform is chosen, the best variant first") {
  auto entry = [](std::string architecture, std::string variant) {
    Descriptor d;
    d.os = "linux";
    d.architecture = std::move(architecture);
    d.variant = std::move(variant);
    return d;
  };
  std::vector<Descriptor> list = {entry("amd64", ""), entry("arm", "v5"), entry("arm", "v7"),
                                  entry("arm64", "v8")};
  CHECK(choose_platform(list, "amd64", "") == &list[0]);
  CHECK(choose_platform(list, "arm", "v7") == &list[2]);
  CHECK(choose_platform(list, "arm", "v6") == &list[1]);
  CHECK(choose_platform(list, "riscv64", "") == nullptr);
  list[0].os = "windows";
  CHECK(choose_platform(list, "amd64", "") == nullptr);
}
