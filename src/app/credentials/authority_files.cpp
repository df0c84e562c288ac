#include "app/credentials/authority_files.h"

#include <skiff/base/random.h>
#include <skiff/base/strings.h>
#include <skiff/codec/json.h>
#include <skiff/pki/token.h>
#include <skiff/sys/files.h>

#include "app/credentials/key_files.h"
#include "app/limits.h"

namespace skiff::app {

using codec::Json;

namespace {

constexpr std::size_t kNameBytes = 4;

std::string stem_of(const std::string& folder) { return folder + "/ca"; }
std::string cross_file(const std::string& folder) { return folder + "/ca-cross.crt"; }
std::string old_file(const std::string& folder) { return folder + "/ca-old.crt"; }
std::string retired_file(const std::string& folder) { return folder + "/ca-retired.crt"; }
std::string roll_file(const std::string& folder) { return folder + "/ca-roll.json"; }

base::Result<AuthorityFiles> read_files(const std::string& folder) {
  AuthorityFiles files;
  SKIFF_ASSIGN_OR_RETURN(files.pair, read_pair(stem_of(folder)));
  SKIFF_ASSIGN_OR_RETURN(files.cross_pem, read_or_empty(cross_file(folder)));
  SKIFF_ASSIGN_OR_RETURN(files.old_pem, read_or_empty(old_file(folder)));
  SKIFF_ASSIGN_OR_RETURN(files.retired_pem, read_or_empty(retired_file(folder)));
  return files;
}

Json as_json(const AuthorityFiles& files) {
  return Json::object({{"key", files.pair.key_pem},
                       {"certificate", files.pair.certificate_pem},
                       {"cross", files.cross_pem},
                       {"old", files.old_pem}});
}

// Each step may be repeated; the roll file goes last.
base::Status write_rolled(const std::string& folder, const AuthorityFiles& files) {
  SKIFF_RETURN_IF_ERROR(sys::write_file_atomic(old_file(folder), files.old_pem, kCertificateMode));
  SKIFF_RETURN_IF_ERROR(
      sys::write_file_atomic(cross_file(folder), files.cross_pem, kCertificateMode));
  SKIFF_RETURN_IF_ERROR(write_pair(stem_of(folder), files.pair));
  SKIFF_RETURN_IF_ERROR(sys::remove_tree(roll_file(folder)));
  return sys::sync_folder(folder);
}

// The certificates that have not ended, each once, the first ones when there are too many.
std::string still_useful(const std::string& certificates_pem, base::WallTime now) {
  std::string kept;
  auto list = pki::split_certificates(certificates_pem);
  if (!list) return kept;
  std::size_t count = 0;
  for (const auto& pem : *list) {
    auto info = pki::inspect_certificate(pem);
    const bool is_good = info && now < info->not_after && kept.find(pem) == kept.npos;
    if (!is_good || count >= kRetiredAuthoritiesMax) continue;
    kept += pem;
    ++count;
  }
  return kept;
}

base::Status finish_roll(const std::string& folder) {
  SKIFF_ASSIGN_OR_RETURN(std::string text, read_or_empty(roll_file(folder)));
  if (text.empty()) return base::Status::ok();
  auto tree = codec::parse_json(text);
  if (!tree) return tree.status().with_context(roll_file(folder));
  const Json& json = *tree;
  AuthorityFiles files;
  files.pair.key_pem = json["key"].as_string();
  files.pair.certificate_pem = json["certificate"].as_string();
  files.cross_pem = json["cross"].as_string();
  files.old_pem = json["old"].as_string();
  return write_rolled(folder, files);
}

}  // namespace

base::Result<AuthorityFiles> ensure_authority(const std::string& folder, base::WallTime now) {
  SKIFF_RETURN_IF_ERROR(finish_roll(folder));
  SKIFF_ASSIGN_OR_RETURN(AuthorityFiles files, read_files(folder));
  const std::string stem = stem_of(folder);
  if (files.pair.key_pem.empty() != files.pair.certificate_pem.empty())
    return base::Status(base::Code::data_loss,
                        base::concat("only one of ", stem, ".key and ", stem,
                                     ".crt is there; restore the other from a backup, or delete "
                                     "both to begin a new cluster"));
  if (!files.pair.key_pem.empty()) return files;
  SKIFF_ASSIGN_OR_RETURN(files.pair, pki::make_authority("skiff-ca", now, kAuthorityLife));
  SKIFF_RETURN_IF_ERROR(write_pair(stem, files.pair));
  return files;
}

base::Result<std::unique_ptr<pki::Authority>> open_authority(const AuthorityFiles& files) {
  return pki::open_authority(files.pair, files.cross_pem);
}

base::Result<AuthorityFiles> roll_authority(const std::string& folder, base::WallTime now) {
  SKIFF_ASSIGN_OR_RETURN(AuthorityFiles before, ensure_authority(folder, now));
  if (!before.old_pem.empty())
    return base::conflict(
        "the cluster is still changing from one CA to the next; 'skiff certs rotate-ca finish' "
        "ends that first");
  SKIFF_ASSIGN_OR_RETURN(auto authority, open_authority(before));
  AuthorityFiles after;
  const std::string name = base::concat("skiff-ca-", pki::random_hex(kNameBytes));
  SKIFF_ASSIGN_OR_RETURN(after.pair, pki::make_authority(name, now, kAuthorityLife));
  SKIFF_ASSIGN_OR_RETURN(std::string cross, authority->cross_sign(after.pair.certificate_pem));
  after.cross_pem = still_useful(cross + before.cross_pem, now);
  after.old_pem = before.pair.certificate_pem;
  after.retired_pem = before.retired_pem;
  SKIFF_RETURN_IF_ERROR(
      sys::write_file_atomic(roll_file(folder), codec::write_json(as_json(after)), kKeyMode));
  SKIFF_RETURN_IF_ERROR(write_rolled(folder, after));
  return after;
}

base::Result<base::WallTime> end_of_overlap(const AuthorityFiles& files) {
  SKIFF_ASSIGN_OR_RETURN(auto current, pki::inspect_certificate(files.pair.certificate_pem));
  SKIFF_ASSIGN_OR_RETURN(auto old_one, pki::inspect_certificate(files.old_pem));
  const auto rolled = current.not_before + pki::CertificateRequest().back_dating;
  return std::min(rolled + kCertificateLife, old_one.not_after);
}

base::Result<base::UniqueFd> lock_authority(const std::string& folder) {
  return sys::lock_file(folder + "/ca.lock");
}

base::Result<AuthorityFiles> end_overlap(const std::string& folder, base::WallTime now) {
  SKIFF_RETURN_IF_ERROR(finish_roll(folder));
  SKIFF_ASSIGN_OR_RETURN(AuthorityFiles files, read_files(folder));
  const std::string retired = still_useful(files.old_pem + files.retired_pem, now);
  SKIFF_RETURN_IF_ERROR(sys::write_file_atomic(retired_file(folder), retired, kCertificateMode));
  SKIFF_RETURN_IF_ERROR(sys::remove_tree(old_file(folder)));
  SKIFF_RETURN_IF_ERROR(sys::sync_folder(folder));
  return read_files(folder);
}

base::Result<AuthorityFiles> forget_older_authorities(const std::string& folder) {
  SKIFF_RETURN_IF_ERROR(finish_roll(folder));
  for (const auto& file : {retired_file(folder), cross_file(folder), old_file(folder)})
    SKIFF_RETURN_IF_ERROR(sys::remove_tree(file));
  SKIFF_RETURN_IF_ERROR(sys::sync_folder(folder));
  return read_files(folder);
}

}  // namespace skiff::app
