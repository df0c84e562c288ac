#include "pki/identity.h"

#include <skiff/base/strings.h>

#include "pki/limits.h"

#include <arpa/inet.h>

namespace skiff::pki {

namespace {

std::string text_of(const ASN1_STRING* value) {
  unsigned char* utf8 = nullptr;
  int size = ASN1_STRING_to_UTF8(&utf8, value);
  if (size < 0) return {};
  std::string text(reinterpret_cast<char*>(utf8), static_cast<std::size_t>(size));
  OPENSSL_free(utf8);
  return text;
}

std::vector<std::string> entries(const X509_NAME* name, int nid) {
  std::vector<std::string> values;
  int position = -1;
  while ((position = X509_NAME_get_index_by_NID(name, nid, position)) >= 0)
    values.push_back(text_of(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, position))));
  return values;
}

base::Status add_entry(X509_NAME* name, int nid, const std::string& value) {
  int done = X509_NAME_add_entry_by_NID(name, nid, MBSTRING_UTF8,
                                        reinterpret_cast<const unsigned char*>(value.data()),
                                        static_cast<int>(value.size()), -1, 0);
  if (done == 1) return base::Status::ok();
  return openssl_status(base::Code::invalid_argument,
                        base::concat("subject name ", base::quote(value)));
}

base::Status add_name(GENERAL_NAMES* names, int type, ASN1_STRING* value) {
  GENERAL_NAME* entry = GENERAL_NAME_new();
  GENERAL_NAME_set0_value(entry, type, value);  // both are owned by `names` from here on
  if (sk_GENERAL_NAME_push(names, entry) > 0) return base::Status::ok();
  GENERAL_NAME_free(entry);
  return openssl_status(base::Code::internal, "add an alternative name");
}

base::Status add_address(GENERAL_NAMES* names, const std::string& text) {
  unsigned char bytes[16];
  int size = inet_pton(AF_INET, text.c_str(), bytes) == 1    ? 4
             : inet_pton(AF_INET6, text.c_str(), bytes) == 1 ? 16
                                                             : 0;
  if (size == 0)
    return base::invalid_argument(base::concat(base::quote(text), " is not an IP address"));
  ASN1_OCTET_STRING* value = ASN1_OCTET_STRING_new();
  ASN1_OCTET_STRING_set(value, bytes, size);
  return add_name(names, GEN_IPADD, value);
}

}  // namespace

base::Status write_subject(X509_NAME* name, const Subject& subject) {
  for (const auto& organization : subject.organizations)
    SKIFF_RETURN_IF_ERROR(add_entry(name, NID_organizationName, organization));
  return add_entry(name, NID_commonName, subject.common_name);
}

Subject read_subject(const X509_NAME* name) {
  Subject subject;
  auto names = entries(name, NID_commonName);
  if (!names.empty()) subject.common_name = std::move(names.back());
  subject.organizations = entries(name, NID_organizationName);
  return subject;
}

base::Result<AlternativeNames> make_alternative_names(const Identity& identity) {
  if (identity.dns_names.empty() && identity.ip_addresses.empty()) return AlternativeNames();
  AlternativeNames names(GENERAL_NAMES_new());
  for (const auto& dns_name : identity.dns_names) {
    ASN1_IA5STRING* value = ASN1_IA5STRING_new();
    ASN1_STRING_set(value, dns_name.data(), static_cast<int>(dns_name.size()));
    SKIFF_RETURN_IF_ERROR(add_name(names.get(), GEN_DNS, value));
  }
  for (const auto& address : identity.ip_addresses)
    SKIFF_RETURN_IF_ERROR(add_address(names.get(), address));
  return names;
}

base::Status read_alternative_names(const GENERAL_NAMES* names, Identity& identity) {
  int count = names == nullptr ? 0 : sk_GENERAL_NAME_num(names);
  if (count > kAlternativeNamesMax)
    return base::invalid_argument(base::concat("more than ", kAlternativeNamesMax, " names"));
  for (int i = 0; i < count; ++i) {
    const GENERAL_NAME* entry = sk_GENERAL_NAME_value(names, i);
    if (entry->type == GEN_DNS) {
      identity.dns_names.push_back(text_of(entry->d.dNSName));
    } else if (entry->type == GEN_IPADD) {
      char text[INET6_ADDRSTRLEN];
      int size = ASN1_STRING_length(entry->d.iPAddress);
      int family = size == 4 ? AF_INET : AF_INET6;
      if (size != 4 && size != 16) return base::invalid_argument("a malformed IP address");
      inet_ntop(family, ASN1_STRING_get0_data(entry->d.iPAddress), text, sizeof text);
      identity.ip_addresses.emplace_back(text);
    }
  }
  return base::Status::ok();
}

}  // namespace skiff::pki
