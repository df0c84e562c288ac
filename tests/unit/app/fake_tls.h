#pragma once

#include <skiff/http/tls.h>

#include <string>
#include <utility>

namespace skiff::test {

// What a TLS context was given.
struct FakeTls final : http::TlsContext {
  std::string certificate, trust;
  int identities = 0, trusts = 0;
  base::Status replace_identity(std::string certificate_pem, std::string) override {
    certificate = std::move(certificate_pem);
    ++identities;
    return base::Status::ok();
  }
  base::Status replace_trust(std::string ca_pem) override {
    trust = std::move(ca_pem);
    ++trusts;
    return base::Status::ok();
  }
};

}  // namespace skiff::test
