#include "app/credentials/key_files.h"

#include <skiff/sys/files.h>

#include "app/limits.h"

namespace skiff::app {

base::Result<std::string> read_or_empty(const std::string& path) {
  auto text = sys::read_file(path, kKeyFileBytesMax);
  if (text.code() == base::Code::not_found) return std::string();
  return text;
}

base::Result<pki::KeyAndCertificate> read_pair(const std::string& stem) {
  pki::KeyAndCertificate pair;
  SKIFF_ASSIGN_OR_RETURN(pair.key_pem, read_or_empty(stem + ".key"));
  SKIFF_ASSIGN_OR_RETURN(pair.certificate_pem, read_or_empty(stem + ".crt"));
  return pair;
}

base::Status write_pair(const std::string& stem, const pki::KeyAndCertificate& pair) {
  SKIFF_RETURN_IF_ERROR(sys::write_file_atomic(stem + ".key", pair.key_pem, kKeyMode));
  return sys::write_file_atomic(stem + ".crt", pair.certificate_pem, kCertificateMode);
}

}  // namespace skiff::app
