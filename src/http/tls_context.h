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

// Thread-safe.
class OpensslContext final : public TlsContext {
 public:
  // Makes the context again with another identity.
  using Rebuild = std::function<base::Result<std::shared_ptr<SSL_CTX>>(
      const std::string& certificate_pem, const std::string& key_pem)>;
  OpensslContext(std::shared_ptr<SSL_CTX> context, Rebuild rebuild)
      : rebuild_(std::move(rebuild)), context_(std::move(context)) {}

  base::Status replace_identity(std::string certificate_pem, std::string key_pem) override;
  std::shared_ptr<SSL_CTX> current() const {
    std::lock_guard lock(mutex_);
    return context_;
  }

 private:
  const Rebuild rebuild_;
  mutable std::mutex mutex_;
  std::shared_ptr<SSL_CTX> context_;  // under mutex_
};

}  // namespace skiff::http
