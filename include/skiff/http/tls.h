// TLS identities and trust, from PEM text. Thread-safe once made.
#pragma once

#include <skiff/base/result.h>

#include <memory>
#include <string>

namespace skiff::http {

class TlsContext {
 public:
  virtual ~TlsContext() = default;
  // Takes a new certificate for handshakes from now on (renewal without a restart).
  virtual base::Status replace_identity(std::string certificate_pem, std::string key_pem) = 0;
};

struct TlsServerOptions {
  std::string certificate_pem;  // chain, leaf first
  std::string key_pem;
  std::string client_ca_pem;  // who may sign client certificates; a certificate stays optional
};
// TLS 1.2 is the floor; session tickets are off.
base::Result<std::shared_ptr<TlsContext>> make_tls_server_context(const TlsServerOptions& options);

struct TlsClientOptions {
  std::string ca_pem;           // trust exactly these; empty = the system's store
  std::string certificate_pem;  // optional client certificate
  std::string key_pem;
  bool insecure = false;  // accept any certificate (probes: HTTPS probes do not verify)
};
base::Result<std::shared_ptr<TlsContext>> make_tls_client_context(const TlsClientOptions& options);

}  // namespace skiff::http
