// The master on this machine, as its administrator, for commands that speak to a running one.
#pragma once

#include <skiff/app/config.h>
#include <skiff/base/clock.h>
#include <skiff/base/result.h>
#include <skiff/codec/json.h>

#include <string>
#include <string_view>

namespace skiff::app {

// Blocks. Thread-compatible.
class LocalMaster {
 public:
  // Reads the administrator's kubeconfig in the data folder. Errors: not_found with what to do.
  static base::Result<LocalMaster> open(const Config& config);

  // The answer's JSON; errors keep the sentence of the API. unavailable: the master does not run.
  base::Result<codec::Json> call(std::string_view method, std::string_view path,
                                 const codec::Json& body = {}) const;
  // What its clock says, by which tokens end.
  base::Result<base::WallTime> now() const;
  const std::string& ca_pem() const { return ca_pem_; }

 private:
  LocalMaster() = default;
  std::string url_, ca_pem_, certificate_pem_, key_pem_;
};

}  // namespace skiff::app
