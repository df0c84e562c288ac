// One TLS connection without a socket: cipher bytes in, cipher bytes out.
#pragma once

#include <skiff/http/message.h>

#include "http/tls_context.h"

#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace skiff::http {

// Loop-only.
class TlsSession {
 public:
  // `server_name` is the client's: for SNI and verification. With `wants_http2` it offers "h2"
  // only.
  static base::Result<std::unique_ptr<TlsSession>> make_server(TlsContext& context);
  static base::Result<std::unique_ptr<TlsSession>> make_client(TlsContext& context,
                                                               const std::string& server_name,
                                                               bool wants_http2 = false);
  ~TlsSession();
  TlsSession(const TlsSession&) = delete;
  TlsSession& operator=(const TlsSession&) = delete;

  // Takes bytes of the socket; appends what they decrypt to `plain` and what must be sent now
  // (handshake, alerts) to `cipher_out`. An error ends the connection after sending cipher_out.
  base::Status receive(std::string_view cipher, std::string& plain, std::string& cipher_out);
  // Begins a client's handshake.
  base::Status start(std::string& cipher_out);
  // REQUIRES: is_established().
  base::Status encrypt(std::string_view plain, std::string& cipher_out);
  // close_notify.
  void close(std::string& cipher_out);

  bool is_established() const { return established_; }
  // The peer sent close_notify: no more plain bytes come.
  bool is_at_end() const { return at_end_; }
  // ALPN has chosen HTTP/2.
  bool is_http2() const;
  // The failed handshake was plain HTTP.
  bool saw_plain_http() const { return saw_plain_http_; }
  // Fills what a verified certificate says, or why it is not.
  void describe_peer(Peer& peer) const;
  // REQUIRES: is_established().
  std::optional<ChannelBinding> channel_binding() const;
  // Whether the context would take the certificate that the handshake took, but for its time; true
  // without one. REQUIRES: is_established().
  bool is_peer_trusted(TlsContext& context) const;

  // A server goes on with a certificate that does not verify: describe_peer() says so.
  static int on_verify_client(int ok, X509_STORE_CTX* store);
  static int on_verify_server(int ok, X509_STORE_CTX* store);

 private:
  TlsSession() = default;
  base::Status open(TlsContext& context);
  base::Status handshake();
  base::Status read_all(std::string& plain);
  static const BIO_METHOD* bio_method();
  static int bio_read(BIO* bio, char* out, int size);
  static int bio_write(BIO* bio, const char* bytes, int size);
  static long bio_control(BIO* bio, int command, long number, void* pointer);

  std::shared_ptr<SSL_CTX> context_;
  SSL* ssl_ = nullptr;
  std::string held_;               // a record that is not complete yet
  std::string_view input_;         // during a call only
  std::string* output_ = nullptr;  // during a call only
  bool established_ = false;
  bool at_end_ = false;
  bool failed_ = false;
  bool takes_future_ = false;  // certificates that begin after the time at which they are judged
  int verify_error_ = 0;       // the first that was found, X509_V_OK without
  bool saw_plain_http_ = false;
};

}  // namespace skiff::http
