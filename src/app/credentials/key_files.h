// Keys and certificates as files, written whole and synced. All calls block.
#pragma once

#include <skiff/base/result.h>
#include <skiff/pki/authority.h>

#include <string>

namespace skiff::app {

inline constexpr unsigned kKeyMode = 0600, kCertificateMode = 0644, kKeyFolderMode = 0700;

base::Result<std::string> read_or_empty(const std::string& path);
// <stem>.key and <stem>.crt; what is not there is empty.
base::Result<pki::KeyAndCertificate> read_pair(const std::string& stem);
// The key first: a certificate without its key would be made again, a key alone is harmless.
base::Status write_pair(const std::string& stem, const pki::KeyAndCertificate& pair);

}  // namespace skiff::app
