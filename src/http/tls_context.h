// OpenSSL contexts behind the TLS contract.
#pragma once

#include <skiff/http/tls.h>

#include <openssl/ssl.h>

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

namespace skiff::http {

// "what: the first error in OpenSSL's queue"; empties the queue.
base::Status tls_error(base::Code code, std::string_view what);

// What a context is made from; it is made again when a part changes.
struct TlsParts {
  std::string certificate_pem, key_pem, ca_pem;
};

// Thread-safe.
class OpensslContext final : public TlsContext {
 public:
  using Build = std::function<base::Result<std::shared_ptr<SSL_CTX>>(const TlsParts& parts)>;
  static base::Result<std::shared_ptr<TlsContext>> make(TlsParts parts, VerificationTime now,
                                                        Build build);

  base::Status replace_identity(std::string certificate_pem, std::string key_pem) override;
  base::Status replace_trust(std::string ca_pem) override;
  std::shared_ptr<SSL_CTX> current() const {
    std::lock_guard lock(mutex_);
    return context_;
  }
  const VerificationTime& now() const { return now_; }

 private:
  OpensslContext(TlsParts parts, VerificationTime now, Build build)
      : now_(std::move(now)), build_(std::move(build)), parts_(std::move(parts)) {}
  base::Status rebuild(const TlsParts& parts);

  const VerificationTime now_;
  const Build build_;
  mutable std::mutex mutex_;
  TlsParts parts_;                    // under mutex_
  std::shared_ptr<SSL_CTX> context_;  // under mutex_
};

}  // namespace skiff::http
