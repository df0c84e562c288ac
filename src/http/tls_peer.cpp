// What a TLS session knows of its peer.
#include <skiff/base/strings.h>

#include "http/tls_session.h"

#include <openssl/err.h>
#include <openssl/x509.h>

#include <ctime>
#include <memory>

namespace skiff::http {

namespace {

std::string entry_text(const X509_NAME_ENTRY* entry) {
  unsigned char* utf8 = nullptr;
  int size = ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(entry));
  std::string text;
  if (size >= 0) {
    text.assign(reinterpret_cast<char*>(utf8), static_cast<std::size_t>(size));
    OPENSSL_free(utf8);
  }
  return text;
}

std::string hex_digest(const unsigned char* bytes, std::size_t size) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned digest_size = 0;
  if (EVP_Digest(bytes, size, digest, &digest_size, EVP_sha256(), nullptr) != 1) return {};
  return base::to_hex(std::string_view(reinterpret_cast<char*>(digest), digest_size));
}

std::string key_digest(const X509* certificate) {
  unsigned char* der = nullptr;
  int size = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &der);
  if (size <= 0) return {};
  auto text = hex_digest(der, static_cast<std::size_t>(size));
  OPENSSL_free(der);
  return text;
}

std::optional<base::WallTime> end_of(const X509* certificate) {
  std::tm end{};
  if (ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &end) != 1) return std::nullopt;
  return base::WallTime::from_unix_seconds(timegm(&end));
}

}  // namespace

std::optional<ChannelBinding> TlsSession::channel_binding() const {
  constexpr std::string_view kLabel = "EXPORTER-Channel-Binding";
  if (SSL_version(ssl_) < TLS1_3_VERSION) return std::nullopt;
  ChannelBinding binding;
  // RFC 9266 says: an empty context, which is not the same as none in older versions.
  if (SSL_export_keying_material(ssl_, binding.data(), binding.size(), kLabel.data(), kLabel.size(),
                                 reinterpret_cast<const unsigned char*>(""), 0, 1) != 1) {
    ERR_clear_error();
    return std::nullopt;
  }
  return binding;
}

void TlsSession::describe_peer(Peer& peer) const {
  peer.channel_binding = channel_binding();
  if (SSL_get_verify_mode(ssl_) == SSL_VERIFY_NONE) return;
  X509* certificate = SSL_get0_peer_certificate(ssl_);
  if (certificate == nullptr) return;
  if (verify_error_ != X509_V_OK) {
    peer.certificate_error = X509_verify_cert_error_string(verify_error_);
    return;
  }
  const X509_NAME* subject = X509_get_subject_name(certificate);
  for (int i = 0; i < X509_NAME_entry_count(subject); ++i) {
    const X509_NAME_ENTRY* entry = X509_NAME_get_entry(subject, i);
    int nid = OBJ_obj2nid(X509_NAME_ENTRY_get_object(entry));
    if (nid == NID_commonName) peer.certificate_common_name = entry_text(entry);
    if (nid == NID_organizationName) peer.certificate_organizations.push_back(entry_text(entry));
  }
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  if (X509_digest(certificate, EVP_sha256(), digest, &size) == 1)
    peer.certificate_fingerprint =
        base::to_hex(std::string_view(reinterpret_cast<char*>(digest), size));
  peer.certificate_key_sha256 = key_digest(certificate);
  peer.certificate_end = end_of(certificate);
}

bool TlsSession::is_peer_trusted(TlsContext& context) const {
  X509* certificate = SSL_get0_peer_certificate(ssl_);
  if (certificate == nullptr || verify_error_ != X509_V_OK) return true;
  if (SSL_get_verify_mode(ssl_) == SSL_VERIFY_NONE) return true;
  const auto current = static_cast<OpensslContext&>(context).current();
  std::unique_ptr<X509_STORE_CTX, decltype(&X509_STORE_CTX_free)> check(X509_STORE_CTX_new(),
                                                                        &X509_STORE_CTX_free);
  bool is_trusted = false;
  if (check && X509_STORE_CTX_init(check.get(), SSL_CTX_get_cert_store(current.get()), certificate,
                                   SSL_get_peer_cert_chain(ssl_)) == 1) {
    X509_STORE_CTX_set_default(check.get(), "ssl_client");
    X509_STORE_CTX_set_flags(check.get(), X509_V_FLAG_NO_CHECK_TIME);
    is_trusted = X509_verify_cert(check.get()) == 1;
  }
  ERR_clear_error();
  return is_trusted;
}

}  // namespace skiff::http
