// OpenSSL contexts behind the TLS contract.
#pragma once

#include <skiff/http/tls.h>

#include <openssl/ssl.h>

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
  OpensslContext(TlsServerOptions options, std::shared_ptr<SSL_CTX> context)
      : server_(std::move(options)), context_(std::move(context)) {}
  explicit OpensslContext(std::shared_ptr<SSL_CTX> context) : context_(std::move(context)) {}

  base::Status replace_identity(std::string certificate_pem, std::string key_pem) override;
  std::shared_ptr<SSL_CTX> current() const {
    std::lock_guard lock(mutex_);
    return context_;
  }

 private:
  mutable std::mutex mutex_;
  TlsServerOptions server_;           // under mutex_
  std::shared_ptr<SSL_CTX> context_;  // under mutex_
};

}  // namespace skiff::http
