// TLS identities and trust, from PEM text. Thread-safe once made.
#pragma once

#include <skiff/base/clock.h>
#include <skiff/base/result.h>

#include <functional>
#include <memory>
#include <string>

namespace skiff::http {

class TlsContext {
 public:
  virtual ~TlsContext() = default;
  // Takes a new certificate for handshakes from now on (renewal without a restart).
  virtual base::Status replace_identity(std::string certificate_pem, std::string key_pem) = 0;
  // Trusts these authorities from now on: a server in its clients, a client in its servers.
  virtual base::Status replace_trust(std::string ca_pem) = 0;
};

// The time at which certificates are judged, for boards whose clock is not set; empty: the
// system's. Where it is given, a certificate that begins later is good: an authority signs nothing
// for the future, so it is the clock that is behind.
using VerificationTime = std::function<base::WallTime()>;

struct TlsServerOptions {
  std::string certificate_pem;  // chain, leaf first
  std::string key_pem;
  std::string client_ca_pem;  // who may sign client certificates; a certificate stays optional
  bool offers_http2 = true;   // by ALPN, beside HTTP/1.1
  VerificationTime now;
};
// TLS 1.2 is the floor; session tickets are off.
base::Result<std::shared_ptr<TlsContext>> make_tls_server_context(const TlsServerOptions& options);

struct TlsClientOptions {
  std::string ca_pem;           // trust exactly these; empty = the system's store
  std::string certificate_pem;  // optional client certificate
  std::string key_pem;
  bool insecure = false;  // accept any certificate (probes: HTTPS probes do not verify)
  VerificationTime now;
};
base::Result<std::shared_ptr<TlsContext>> make_tls_client_context(const TlsClientOptions& options);

}  // namespace skiff::http
