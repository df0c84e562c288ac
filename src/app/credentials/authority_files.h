// The files of the cluster's authority, and how one authority takes the place of another.
//
//   <data-dir>/pki/ca.key, ca.crt   who signs
//                  ca-cross.crt     certificates of `ca` by authorities before it: they stand
//                  behind
//                                   every certificate, for those who only know an older one
//                  ca-old.crt       whom the cluster trusts beside `ca`, while both are valid
//                  ca-retired.crt   whom it trusted before; boards are told of them, for their
//                                   tokens may name no other, and they have signed the next one
//                  ca-roll.json     what a roll is about to write; it is done when this is gone
//
// All calls block.
#pragma once

#include <skiff/base/clock.h>
#include <skiff/base/result.h>
#include <skiff/base/unique_fd.h>
#include <skiff/pki/authority.h>

#include <memory>
#include <string>

namespace skiff::app {

struct AuthorityFiles {
  pki::KeyAndCertificate pair;
  std::string cross_pem, old_pem, retired_pem;

  std::string bundle_pem() const { return pair.certificate_pem + old_pem; }
};

// Makes an authority where there is none, and ends a roll that was cut off. Errors: data_loss when
// only half of it is there.
base::Result<AuthorityFiles> ensure_authority(const std::string& folder, base::WallTime now);
base::Result<std::unique_ptr<pki::Authority>> open_authority(const AuthorityFiles& files);

// A new authority signs from now on, the one before stays trusted. The old key is no more, but for
// what it has signed. Errors: conflict while two are trusted already.
base::Result<AuthorityFiles> roll_authority(const std::string& folder, base::WallTime now);
// When nothing that an authority before `pair` has signed can be valid any more; needs old_pem.
base::Result<base::WallTime> end_of_overlap(const AuthorityFiles& files);
// Who changes the files holds this. Blocks.
base::Result<base::UniqueFd> lock_authority(const std::string& folder);
// Only the authority that signs is trusted from now on. The one before is retired: join tokens that
// name it go on, until its own certificate ends.
base::Result<AuthorityFiles> end_overlap(const std::string& folder, base::WallTime now);
// The same for an authority whose key may be stolen: all but the one that signs are forgotten, and
// what names them is worth nothing.
base::Result<AuthorityFiles> forget_older_authorities(const std::string& folder);

}  // namespace skiff::app
