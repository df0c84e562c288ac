// Facts about CertificateSigningRequests. Pure.
#pragma once

#include <skiff/client/client.h>
#include <skiff/codec/json.h>
#include <skiff/pki/certificate.h>

#include <set>
#include <string>
#include <string_view>

namespace skiff::controllers {

using codec::Json;

inline constexpr client::Resource kSigningRequests{"certificates.k8s.io", "v1",
                                                   "certificatesigningrequests"};

inline constexpr std::string_view kKubeletClientSigner =
    "kubernetes.io/kube-apiserver-client-kubelet";
inline constexpr std::string_view kKubeletServingSigner = "kubernetes.io/kubelet-serving";
inline constexpr std::string_view kApiClientSigner = "kubernetes.io/kube-apiserver-client";
inline constexpr std::string_view kLegacySigner = "kubernetes.io/legacy-unknown";

bool has_condition(const Json& csr, std::string_view type);
bool is_issued(const Json& csr);
std::set<std::string> usages_of(const Json& csr);
// Errors: invalid_argument.
base::Result<std::string> request_pem_of(const Json& csr);

// Why the signer of kubelets' client or serving certificates refuses a request; empty when it does
// not. In upstream's words.
std::string why_no_kubelet_client(const pki::SigningRequestInfo& request,
                                  const std::set<std::string>& usages);
std::string why_no_kubelet_serving(const pki::SigningRequestInfo& request,
                                   const std::set<std::string>& usages);
// The same for clients of the API. `usages` as the request lists them.
std::string why_no_api_client(const Json& usages);

}  // namespace skiff::controllers
