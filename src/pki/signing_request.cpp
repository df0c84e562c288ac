// Signing requests: made by us, and read from strangers.
#include <skiff/base/strings.h>
#include <skiff/pki/certificate.h>

#include "pki/identity.h"
#include "pki/signing_request.h"

#include <openssl/pem.h>

namespace skiff::pki {

namespace {

// The first block of a PEM text.
struct Block {
  std::string type, headers, bytes;
};
bool next_block(BIO* bio, Block& block) {
  char *type = nullptr, *headers = nullptr;
  unsigned char* bytes = nullptr;
  long size = 0;
  bool found = PEM_read_bio(bio, &type, &headers, &bytes, &size) == 1;
  if (found) {
    block.type = type;
    block.headers = headers;
    block.bytes.assign(reinterpret_cast<char*>(bytes), static_cast<std::size_t>(size));
  }
  ERR_clear_error();
  OPENSSL_free(type);
  OPENSSL_free(headers);
  OPENSSL_free(bytes);
  return found;
}

std::string text_of(const ASN1_IA5STRING* value) {
  return std::string(reinterpret_cast<const char*>(ASN1_STRING_get0_data(value)),
                     static_cast<std::size_t>(ASN1_STRING_length(value)));
}

void read_other_names(const GENERAL_NAMES* names, SigningRequestInfo& info) {
  int count = names == nullptr ? 0 : sk_GENERAL_NAME_num(names);
  for (int i = 0; i < count; ++i) {
    const GENERAL_NAME* entry = sk_GENERAL_NAME_value(names, i);
    if (entry->type == GEN_EMAIL) info.emails.push_back(text_of(entry->d.rfc822Name));
    if (entry->type == GEN_URI) info.uris.push_back(text_of(entry->d.uniformResourceIdentifier));
  }
}

std::string fingerprint_of(EVP_PKEY* key) {
  unsigned char* der = nullptr;
  int size = i2d_PUBKEY(key, &der);
  if (size <= 0) return {};
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned digest_size = 0;
  EVP_Digest(der, static_cast<std::size_t>(size), digest, &digest_size, EVP_sha256(), nullptr);
  OPENSSL_free(der);
  return hex(digest, digest_size);
}

base::Status wrong_signature(EVP_PKEY* key) {
  ERR_clear_error();
  if (key != nullptr && EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA)
    return base::invalid_argument("crypto/rsa: verification error");
  return base::invalid_argument("x509: ECDSA verification failure");
}

}  // namespace

base::Result<SigningRequest> parse_signing_request(std::string_view request_pem) {
  Bio bio = read_bio(request_pem);
  Block block;
  if (!next_block(bio.get(), block) || block.type != "CERTIFICATE REQUEST")
    return base::invalid_argument("PEM block type must be CERTIFICATE REQUEST");
  auto* bytes = reinterpret_cast<const unsigned char*>(block.bytes.data());
  const auto* end = bytes + block.bytes.size();
  SigningRequest request(d2i_X509_REQ(nullptr, &bytes, static_cast<long>(block.bytes.size())));
  if (!request) {
    ERR_clear_error();
    return base::invalid_argument("x509: malformed certificate request");
  }
  if (bytes != end) return base::invalid_argument("asn1: syntax error: trailing data");
  EVP_PKEY* key = X509_REQ_get0_pubkey(request.get());
  if (key == nullptr || X509_REQ_verify(request.get(), key) != 1) return wrong_signature(key);
  return request;
}

AlternativeNames names_of_request(X509_REQ* request) {
  STACK_OF(X509_EXTENSION)* extensions = X509_REQ_get_extensions(request);
  AlternativeNames names(static_cast<GENERAL_NAMES*>(
      X509V3_get_d2i(extensions, NID_subject_alt_name, nullptr, nullptr)));
  sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
  return names;
}

base::Result<std::string> make_signing_request(const Identity& identity,
                                               std::string_view private_key_pem) {
  SKIFF_ASSIGN_OR_RETURN(Key key, read_private_key(private_key_pem));
  SigningRequest request(X509_REQ_new());
  SKIFF_RETURN_IF_ERROR(write_subject(X509_REQ_get_subject_name(request.get()), identity.subject));
  X509_REQ_set_pubkey(request.get(), key.get());
  SKIFF_ASSIGN_OR_RETURN(AlternativeNames names, make_alternative_names(identity));
  if (names) {
    STACK_OF(X509_EXTENSION)* extensions = nullptr;
    X509V3_add1_i2d(&extensions, NID_subject_alt_name, names.get(), 0, X509V3_ADD_DEFAULT);
    X509_REQ_add_extensions(request.get(), extensions);
    sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
  }
  if (X509_REQ_sign(request.get(), key.get(), EVP_sha256()) == 0)
    return openssl_status(base::Code::internal, "sign a request");
  Bio bio(BIO_new(BIO_s_mem()));
  PEM_write_bio_X509_REQ(bio.get(), request.get());
  return bio_text(bio.get());
}

base::Result<SigningRequestInfo> read_signing_request(std::string_view request_pem) {
  SKIFF_ASSIGN_OR_RETURN(SigningRequest request, parse_signing_request(request_pem));
  SigningRequestInfo info;
  info.identity.subject = read_subject(X509_REQ_get_subject_name(request.get()));
  AlternativeNames names = names_of_request(request.get());
  SKIFF_RETURN_IF_ERROR(read_alternative_names(names.get(), info.identity));
  read_other_names(names.get(), info);
  info.public_key_fingerprint = fingerprint_of(X509_REQ_get0_pubkey(request.get()));
  return info;
}

base::Result<Identity> inspect_signing_request(std::string_view request_pem) {
  SKIFF_ASSIGN_OR_RETURN(SigningRequestInfo info, read_signing_request(request_pem));
  return std::move(info.identity);
}

std::string why_no_certificates(std::string_view pem) {
  Bio bio = read_bio(pem);
  Block block;
  int blocks = 0;
  while (next_block(bio.get(), block)) {
    if (block.type != "CERTIFICATE")
      return base::concat("only CERTIFICATE PEM blocks are allowed, found ",
                          base::quote(block.type));
    if (!block.headers.empty()) return "no PEM block headers are permitted";
    ++blocks;
    auto* bytes = reinterpret_cast<const unsigned char*>(block.bytes.data());
    Certificate certificate(d2i_X509(nullptr, &bytes, static_cast<long>(block.bytes.size())));
    ERR_clear_error();
    if (!certificate) return "x509: malformed certificate";
  }
  return blocks == 0 ? "must contain at least one CERTIFICATE PEM block" : "";
}

}  // namespace skiff::pki
