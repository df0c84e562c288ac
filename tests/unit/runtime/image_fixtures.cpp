#include "image_fixtures.h"

#include <skiff/base/strings.h>
#include <skiff/sys/features.h>
#include <skiff/sys/files.h>
#include <skiff/sys/mounts.h>
#include <skiff/sys/process.h>

#include <stdlib.h>
#include <catch2/catch.hpp>

#include <cstdio>
#include <cstring>

#include "runtime/image/sha256.h"

namespace skiff::runtime_test {

using base::concat;

TemporaryFolder::TemporaryFolder() {
  char name[] = "/tmp/skiff-rt-XXXXXX";
  path = mkdtemp(name);
}
TemporaryFolder::~TemporaryFolder() {
  (void)sys::unmount_tree(path);
  (void)sys::remove_tree(path);
}

namespace {

void append_padded(std::string& out, const std::string& content) {
  out += content;
  out.append((512 - content.size() % 512) % 512, '\0');
}

std::string header(const TarEntry& entry, const std::string& name, char type, std::size_t size) {
  char block[512] = {};
  auto octal = [&](std::size_t at, int digits, unsigned long value) {
    std::snprintf(block + at, static_cast<std::size_t>(digits) + 1, "%0*lo", digits, value);
  };
  std::memcpy(block, name.data(), std::min<std::size_t>(name.size(), 100));
  octal(100, 7, entry.mode);
  octal(108, 7, entry.uid);
  octal(116, 7, entry.gid);
  octal(124, 11, size);
  octal(136, 11, 1'700'000'000);
  block[156] = type;
  std::memcpy(block + 157, entry.link.data(), std::min<std::size_t>(entry.link.size(), 100));
  std::memcpy(block + 257, "ustar\00000", 8);
  octal(329, 7, entry.device_major);
  octal(337, 7, entry.device_minor);
  std::memset(block + 148, ' ', 8);
  unsigned sum = 0;
  for (unsigned char c : block) sum += c;
  std::snprintf(block + 148, 8, "%06o", sum);
  return std::string(block, sizeof block);
}

std::string pax_record(const std::string& key, const std::string& value) {
  std::size_t length = key.size() + value.size() + 3;
  while (std::to_string(length).size() + key.size() + value.size() + 3 != length)
    length = std::to_string(length).size() + key.size() + value.size() + 3;
  return concat(length, " ", key, "=", value, "\n");
}

}  // namespace

std::string make_tar(const std::vector<TarEntry>& entries) {
  std::string out;
  for (const auto& entry : entries) {
    std::string pax;
    if (entry.name.size() > 100) pax += pax_record("path", entry.name);
    if (entry.link.size() > 100) pax += pax_record("linkpath", entry.link);
    for (const auto& [key, value] : entry.xattrs) pax += pax_record("SCHILY.xattr." + key, value);
    if (!pax.empty()) {
      out += header({}, "pax", 'x', pax.size());
      append_padded(out, pax);
    }
    out += header(entry, entry.name, entry.type, entry.content.size());
    append_padded(out, entry.content);
  }
  out.append(1024, '\0');
  return out;
}

std::string digest_of(const std::string& bytes) { return runtime::sha256_digest(bytes); }

std::string compress(const std::string& bytes, const std::string& program) {
  sys::RunOptions options;
  options.argv = {program, "-c"};
  options.input = bytes;
  options.output_bytes_max = 64u << 20;
  auto result = sys::run_process(std::move(options));
  REQUIRE(result.is_ok());
  return result->output;
}

ImageParts make_image(const std::vector<std::string>& layers, const std::string& config_members) {
  ImageParts image;
  image.layers = layers;
  std::string diff_ids, descriptors;
  for (const auto& layer : layers) {
    if (!diff_ids.empty()) diff_ids += ",", descriptors += ",";
    diff_ids += base::quote(digest_of(layer));
    descriptors += concat("{\"mediaType\":\"application/vnd.oci.image.layer.v1.tar\",\"digest\":",
                          base::quote(digest_of(layer)), ",\"size\":", layer.size(), "}");
  }
  image.config = concat("{\"architecture\":\"", sys::machine_architecture(),
                        "\",\"os\":\"linux\",\"config\":{", config_members,
                        "},\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[", diff_ids, "]}}");
  image.manifest = concat(
      "{\"schemaVersion\":2,\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\","
      "\"config\":{\"mediaType\":\"application/vnd.oci.image.config.v1+json\",\"digest\":",
      base::quote(digest_of(image.config)), ",\"size\":", image.config.size(), "},\"layers\":[",
      descriptors, "]}");
  return image;
}

std::string make_docker_archive(const ImageParts& image, const std::string& name) {
  std::vector<TarEntry> entries = {{"config.json", '0', image.config}};
  std::string names;
  for (std::size_t i = 0; i < image.layers.size(); ++i) {
    entries.push_back({concat("layer", i, ".tar"), '0', image.layers[i]});
    names += concat(i == 0 ? "" : ",", "\"layer", i, ".tar\"");
  }
  entries.push_back({"manifest.json", '0',
                     concat("[{\"Config\":\"config.json\",\"RepoTags\":[", base::quote(name),
                            "],\"Layers\":[", names, "]}]")});
  return make_tar(entries);
}

std::string make_oci_archive(const ImageParts& image, const std::string& name) {
  auto blob = [](const std::string& bytes) {
    return TarEntry{concat("blobs/sha256/", digest_of(bytes).substr(7)), '0', bytes};
  };
  std::vector<TarEntry> entries = {{"oci-layout", '0', "{\"imageLayoutVersion\":\"1.0.0\"}"}};
  entries.push_back(blob(image.config));
  entries.push_back(blob(image.manifest));
  for (const auto& layer : image.layers) entries.push_back(blob(layer));
  entries.push_back(
      {"index.json", '0',
       concat("{\"schemaVersion\":2,\"manifests\":[{\"mediaType\":\"application/"
              "vnd.oci.image.manifest.v1+json\",\"digest\":",
              base::quote(digest_of(image.manifest)), ",\"size\":", image.manifest.size(),
              ",\"annotations\":{\"org.opencontainers.image.ref.name\":", base::quote(name),
              "}}]}")});
  return make_tar(entries);
}

std::string make_busybox_archive(const std::string& name, const std::string& config_members) {
  auto busybox = sys::read_file("/bin/busybox", 16u << 20);
  if (!busybox.is_ok()) return "";
  std::vector<TarEntry> entries;
  for (auto folder : {"bin", "etc", "tmp", "root", "proc", "dev", "sys", "var", "home"})
    entries.push_back({folder, '5', "", "", folder == std::string("tmp") ? 01777u : 0755u});
  entries.push_back({"bin/busybox", '0', *busybox, "", 0755});
  for (auto applet :
       {"sh",    "cat",   "echo",  "sleep", "id",    "ls",       "env",  "kill", "head", "true",
        "tr",    "false", "mkdir", "touch", "grep",  "hostname", "pwd",  "stty", "dd",   "test",
        "mount", "ip",    "seq",   "yes",   "httpd", "nc",       "wget", "stat", "ps",   "tty"})
    entries.push_back({concat("bin/", applet), '2', "", "busybox", 0777});
  entries.push_back(
      {"etc/passwd", '0', "root:x:0:0:root:/root:/bin/sh\nweb:x:1000:1001:web:/home:/bin/sh\n"});
  entries.push_back({"etc/group", '0', "root:x:0:\nwebs:x:1001:\nextra:x:2000:web\n"});
  return make_docker_archive(make_image({make_tar(entries)}, config_members), name);
}

void write_file(const std::string& path, const std::string& bytes) {
  REQUIRE(sys::write_file_atomic(path, bytes, 0644, sys::Sync::no).is_ok());
}

}  // namespace skiff::runtime_test
