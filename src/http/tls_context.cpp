#include <skiff/http/tls.h>

#include "http/tls_context.h"

#include <skiff/base/strings.h>

#include "http/tls_session.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <cstring>

#if defined(__aarch64__) || defined(__arm__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

namespace skiff::http {

namespace {

using BioPtr = std::unique_ptr<BIO, decltype(&BIO_free)>;
using X509Ptr = std::unique_ptr<X509, decltype(&X509_free)>;
using KeyPtr = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;

BioPtr memory_bio(std::string_view text) {
  return {BIO_new_mem_buf(text.data(), static_cast<int>(text.size())), &BIO_free};
}

bool has_aes_instructions() {
#if defined(__x86_64__) || defined(__i386__)
  return __builtin_cpu_supports("aes") != 0;
#elif defined(__aarch64__)
  return (getauxval(AT_HWCAP) & HWCAP_AES) != 0;
#else
  return false;
#endif
}

int no_password(char*, int, int, void*) { return 0; }

base::Status use_identity(SSL_CTX* context, std::string_view certificate_pem,
                          std::string_view key_pem) {
  auto bio = memory_bio(certificate_pem);
  X509Ptr leaf(PEM_read_bio_X509_AUX(bio.get(), nullptr, no_password, nullptr), &X509_free);
  if (!leaf) return tls_error(base::Code::invalid_argument, "read the TLS certificate");
  if (SSL_CTX_use_certificate(context, leaf.get()) != 1)
    return tls_error(base::Code::invalid_argument, "use the TLS certificate");
  for (;;) {
    X509Ptr next(PEM_read_bio_X509(bio.get(), nullptr, no_password, nullptr), &X509_free);
    if (!next) break;
    if (SSL_CTX_add1_chain_cert(context, next.get()) != 1)
      return tls_error(base::Code::invalid_argument, "use the TLS certificate chain");
  }
  ERR_clear_error();
  auto key_bio = memory_bio(key_pem);
  KeyPtr key(PEM_read_bio_PrivateKey(key_bio.get(), nullptr, no_password, nullptr), &EVP_PKEY_free);
  if (!key) return tls_error(base::Code::invalid_argument, "read the TLS key");
  if (SSL_CTX_use_PrivateKey(context, key.get()) != 1 || SSL_CTX_check_private_key(context) != 1)
    return tls_error(base::Code::invalid_argument, "the TLS key does not match the certificate");
  return base::Status::ok();
}

base::Status trust(SSL_CTX* context, std::string_view ca_pem, bool announce) {
  auto bio = memory_bio(ca_pem);
  X509_STORE* store = SSL_CTX_get_cert_store(context);
  std::size_t count = 0;
  for (;;) {
    X509Ptr ca(PEM_read_bio_X509(bio.get(), nullptr, no_password, nullptr), &X509_free);
    if (!ca) break;
    if (X509_STORE_add_cert(store, ca.get()) != 1)
      return tls_error(base::Code::invalid_argument, "trust a CA certificate");
    if (announce) SSL_CTX_add_client_CA(context, ca.get());
    ++count;
  }
  ERR_clear_error();
  if (count == 0) return base::invalid_argument("the CA bundle holds no certificate");
  return base::Status::ok();
}

std::shared_ptr<SSL_CTX> make_base_context(const SSL_METHOD* method) {
  std::shared_ptr<SSL_CTX> context(SSL_CTX_new(method), &SSL_CTX_free);
  if (!context) return nullptr;
  SSL_CTX* raw = context.get();
  SSL_CTX_set_min_proto_version(raw, TLS1_2_VERSION);
  SSL_CTX_set_options(raw, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  SSL_CTX_set_session_cache_mode(raw, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_mode(raw, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                            SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  bool aes = has_aes_instructions();
  SSL_CTX_set_ciphersuites(
      raw, aes ? "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"
               : "TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384");
  SSL_CTX_set_cipher_list(raw, aes ? "ECDHE+AESGCM:ECDHE+CHACHA20" : "ECDHE+CHACHA20:ECDHE+AESGCM");
  return context;
}

bool is_offered(const unsigned char* offered, unsigned size, std::string_view protocol) {
  for (unsigned i = 0; i < size && i + 1u + offered[i] <= size; i += 1u + offered[i]) {
    std::string_view one(reinterpret_cast<const char*>(offered + i + 1), offered[i]);
    if (one == protocol) return true;
  }
  return false;
}

constexpr std::string_view kHttp2 = "h2", kHttp1 = "http/1.1";

// `argument` is not null when HTTP/2 may be chosen.
int select_protocol(SSL*, const unsigned char** out, unsigned char* out_size,
                    const unsigned char* offered, unsigned offered_size, void* argument) {
  for (auto protocol : {kHttp2, kHttp1}) {
    if (protocol == kHttp2 && argument == nullptr) continue;
    if (!is_offered(offered, offered_size, protocol)) continue;
    *out = reinterpret_cast<const unsigned char*>(protocol.data());
    *out_size = static_cast<unsigned char>(protocol.size());
    return SSL_TLSEXT_ERR_OK;
  }
  return SSL_TLSEXT_ERR_NOACK;
}

base::Result<std::shared_ptr<SSL_CTX>> make_server_ctx(const TlsParts& parts, bool offers_http2) {
  auto context = make_base_context(TLS_server_method());
  if (!context) return tls_error(base::Code::internal, "make a TLS context");
  SSL_CTX* raw = context.get();
  SSL_CTX_set_options(raw, SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
  SSL_CTX_set_num_tickets(raw, 0);
  static int allowed;
  SSL_CTX_set_alpn_select_cb(raw, select_protocol, offers_http2 ? &allowed : nullptr);
  SKIFF_RETURN_IF_ERROR(use_identity(raw, parts.certificate_pem, parts.key_pem));
  if (!parts.ca_pem.empty()) {
    SKIFF_RETURN_IF_ERROR(trust(raw, parts.ca_pem, true));
    // A certificate that does not verify gives no identity; the request then fails
    // authentication with an answer that the client can show.
    SSL_CTX_set_verify(raw, SSL_VERIFY_PEER, &TlsSession::on_verify_client);
  }
  return context;
}

base::Result<std::shared_ptr<SSL_CTX>> make_client_ctx(const TlsParts& parts, bool insecure) {
  auto context = make_base_context(TLS_client_method());
  if (!context) return tls_error(base::Code::internal, "make a TLS context");
  SSL_CTX* raw = context.get();
  static constexpr unsigned char kAlpn[] = "\x08http/1.1";
  SSL_CTX_set_alpn_protos(raw, kAlpn, sizeof kAlpn - 1);
  if (!insecure) {
    SSL_CTX_set_verify(raw, SSL_VERIFY_PEER, &TlsSession::on_verify_server);
    if (!parts.ca_pem.empty()) {
      SKIFF_RETURN_IF_ERROR(trust(raw, parts.ca_pem, false));
    } else if (SSL_CTX_set_default_verify_paths(raw) != 1) {
      return tls_error(base::Code::unavailable, "load the system's CA certificates");
    }
  }
  if (!parts.certificate_pem.empty())
    SKIFF_RETURN_IF_ERROR(use_identity(raw, parts.certificate_pem, parts.key_pem));
  return context;
}

}  // namespace

base::Status tls_error(base::Code code, std::string_view what) {
  unsigned long error = ERR_peek_error();
  const char* reason = error != 0 ? ERR_reason_error_string(error) : nullptr;
  ERR_clear_error();
  return {code, base::concat(what, ": ", reason != nullptr ? reason : "no reason given")};
}

base::Result<std::shared_ptr<TlsContext>> OpensslContext::make(TlsParts parts, VerificationTime now,
                                                               Build build) {
  std::shared_ptr<OpensslContext> made(
      new OpensslContext(std::move(parts), std::move(now), std::move(build)));
  SKIFF_RETURN_IF_ERROR(made->rebuild(made->parts_));
  return std::shared_ptr<TlsContext>(std::move(made));
}

base::Status OpensslContext::rebuild(const TlsParts& parts) {
  SKIFF_ASSIGN_OR_RETURN(auto context, build_(parts));
  std::lock_guard lock(mutex_);
  parts_ = parts;
  context_ = std::move(context);
  return base::Status::ok();
}

base::Status OpensslContext::replace_identity(std::string certificate_pem, std::string key_pem) {
  TlsParts parts;
  {
    std::lock_guard lock(mutex_);
    parts = parts_;
  }
  parts.certificate_pem = std::move(certificate_pem);
  parts.key_pem = std::move(key_pem);
  return rebuild(parts);
}

base::Status OpensslContext::replace_trust(std::string ca_pem) {
  if (ca_pem.empty()) return base::invalid_argument("the CA bundle holds no certificate");
  TlsParts parts;
  {
    std::lock_guard lock(mutex_);
    parts = parts_;
  }
  parts.ca_pem = std::move(ca_pem);
  return rebuild(parts);
}

base::Result<std::shared_ptr<TlsContext>> make_tls_server_context(const TlsServerOptions& options) {
  return OpensslContext::make({options.certificate_pem, options.key_pem, options.client_ca_pem},
                              options.now, [http2 = options.offers_http2](const TlsParts& parts) {
                                return make_server_ctx(parts, http2);
                              });
}

base::Result<std::shared_ptr<TlsContext>> make_tls_client_context(const TlsClientOptions& options) {
  return OpensslContext::make({options.certificate_pem, options.key_pem, options.ca_pem},
                              options.now, [insecure = options.insecure](const TlsParts& parts) {
                                return make_client_ctx(parts, insecure);
                              });
}

}  // namespace skiff::http
