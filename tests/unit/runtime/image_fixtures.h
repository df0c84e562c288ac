// Tars and image archives made byte by byte, so that bad ones can be made too.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace skiff::runtime_test {

class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  std::string operator/(const std::string& name) const { return path + "/" + name; }
  std::string path;
};

struct TarEntry {
  std::string name;
  char type = '0';  // '0' file, '1' hard link, '2' symbolic link, '3' character device, '5' folder
  std::string content, link;
  unsigned mode = 0644;
  unsigned uid = 0, gid = 0;
  std::vector<std::pair<std::string, std::string>> xattrs;
  unsigned device_major = 0, device_minor = 0;
};
std::string make_tar(const std::vector<TarEntry>& entries);
std::string digest_of(const std::string& bytes);
// By the programs gzip and zstd.
std::string compress(const std::string& bytes, const std::string& program);

struct ImageParts {
  std::string config;               // JSON text
  std::vector<std::string> layers;  // tars
  std::string manifest;             // OCI manifest, layers uncompressed
};
// `config_members` goes into "config": "\"Cmd\":[\"/bin/sh\"]".
ImageParts make_image(const std::vector<std::string>& layers, const std::string& config_members);
std::string make_docker_archive(const ImageParts& image, const std::string& name);
std::string make_oci_archive(const ImageParts& image, const std::string& name);
// A docker-archive with Debian's static busybox; empty when that is not installed.
std::string make_busybox_archive(const std::string& name, const std::string& config_members);
void write_file(const std::string& path, const std::string& bytes);

}  // namespace skiff::runtime_test
