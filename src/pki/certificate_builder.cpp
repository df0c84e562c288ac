#include "pki/certificate_builder.h"

#include <skiff/base/strings.h>

#include "pki/limits.h"

#include <openssl/bn.h>

#include <algorithm>

namespace skiff::pki {

namespace {

struct Usage {
  std::string_view name, word;
  bool is_extended;
};
constexpr Usage kUsages[] = {
    {"signing", "digitalSignature", false},
    {"digital signature", "digitalSignature", false},
    {"content commitment", "nonRepudiation", false},
    {"key encipherment", "keyEncipherment", false},
    {"key agreement", "keyAgreement", false},
    {"data encipherment", "dataEncipherment", false},
    {"cert sign", "keyCertSign", false},
    {"crl sign", "cRLSign", false},
    {"encipher only", "encipherOnly", false},
    {"decipher only", "decipherOnly", false},
    {"any", "anyExtendedKeyUsage", true},
    {"server auth", "serverAuth", true},
    {"client auth", "clientAuth", true},
    {"code signing", "codeSigning", true},
    {"email protection", "emailProtection", true},
    {"s/mime", "emailProtection", true},
    {"ipsec end system", "ipsecEndSystem", true},
    {"ipsec tunnel", "ipsecTunnel", true},
    {"ipsec user", "ipsecUser", true},
    {"timestamping", "timeStamping", true},
    {"ocsp signing", "OCSPSigning", true},
    {"microsoft sgc", "msSGC", true},
    {"netscape sgc", "nsSGC", true},
};

void add_word(std::vector<std::string>& words, std::string_view word) {
  if (std::find(words.begin(), words.end(), word) == words.end()) words.emplace_back(word);
}

}  // namespace

base::Status set_serial(X509* certificate) {
  std::unique_ptr<BIGNUM, OpensslFree<BIGNUM, BN_free>> number(BN_new());
  if (BN_rand(number.get(), kSerialNumberBits, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) != 1 ||
      BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(certificate)) == nullptr)
    return openssl_status(base::Code::internal, "make a serial number");
  return base::Status::ok();
}

void set_validity(X509* certificate, base::WallTime from, base::WallTime until) {
  ASN1_TIME_set(X509_getm_notBefore(certificate), static_cast<std::time_t>(from.unix_seconds()));
  ASN1_TIME_set(X509_getm_notAfter(certificate), static_cast<std::time_t>(until.unix_seconds()));
}

base::Status add_extension(X509* certificate, X509* issuer, int nid, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str());
  if (extension == nullptr) return openssl_status(base::Code::internal, "make an extension");
  X509_add_ext(certificate, extension, -1);
  X509_EXTENSION_free(extension);
  return base::Status::ok();
}

base::Result<UsageWords> usage_words(const std::vector<std::string>& usages) {
  std::vector<std::string> key, extended, unknown;
  for (const auto& usage : usages) {
    auto* found = std::find_if(std::begin(kUsages), std::end(kUsages),
                               [&](const Usage& each) { return each.name == usage; });
    if (found == std::end(kUsages)) {
      unknown.push_back(base::quote(usage));
    } else {
      add_word(found->is_extended ? extended : key, found->word);
    }
  }
  if (!unknown.empty())
    return base::invalid_argument(
        base::concat("unrecognized usage values: [", base::join(unknown, " "), "]"));
  return UsageWords{base::join(key, ","), base::join(extended, ",")};
}

}  // namespace skiff::pki
