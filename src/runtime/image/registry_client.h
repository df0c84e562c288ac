// One repository of one registry: the pull side of the OCI distribution specification.
#pragma once

#include <skiff/base/cancel.h>
#include <skiff/base/result.h>
#include <skiff/http/client.h>
#include <skiff/runtime/image.h>

#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "runtime/image/manifest.h"
#include "runtime/image/registries.h"

namespace skiff::runtime {

// A WWW-Authenticate header: "Bearer realm=\"…\",service=\"…\"".
struct Challenge {
  std::string scheme;  // lower case
  std::vector<std::pair<std::string, std::string>> parameters;
  std::string_view parameter(std::string_view name) const;
};
// Errors: invalid_argument.
base::Result<Challenge> parse_challenge(std::string_view header);

// What a registry says in an error answer: "manifest unknown"; empty when it says nothing.
std::string registry_message(std::string_view body);

using SendFunction = std::function<base::Result<http::ClientResponse>(http::BlockingRequest)>;

// Thread-compatible. Remembers how the registry let it in.
class RegistryClient {
 public:
  // Credentials are tried in order, then none.
  RegistryClient(RegistryEndpoint endpoint, const RegistryHost& host, std::string registry,
                 std::string repository, std::vector<RegistryAuth> credentials,
                 base::CancelToken cancel, SendFunction send);

  struct ManifestBytes {
    std::string text, digest;
  };
  // `reference` is a tag or a digest, and then the bytes have it.
  base::Result<ManifestBytes> fetch_manifest(const std::string& reference);
  base::Result<std::string> fetch_small_blob(const Descriptor& blob, std::size_t bytes_max);
  // Into the file at `path`; goes on where an earlier try has stopped. The digest is verified, a
  // file that has another one is removed.
  base::Status fetch_blob(const Descriptor& blob, const std::string& path);

 private:
  struct BlobFile;
  base::Result<http::ClientResponse> get(const std::string& url, const http::Headers& headers,
                                         std::size_t bytes_max, BlobFile* file);
  base::Result<http::ClientResponse> send(const std::string& url, http::Headers headers,
                                          bool with_authorization, std::size_t bytes_max,
                                          BlobFile* file);
  base::Result<http::ClientResponse> follow(http::ClientResponse answer, std::string url,
                                            const http::Headers& headers, std::size_t bytes_max,
                                            BlobFile* file);
  base::Status let_in(const http::ClientResponse& answer);
  base::Status let_in_by_token(const Challenge& challenge, const RegistryAuth& auth);
  base::Status try_blob(const Descriptor& blob, const std::string& path);
  base::Status refusal(const http::ClientResponse& answer) const;
  std::string url_of(std::string_view kind, std::string_view name) const;

  RegistryEndpoint endpoint_;
  const RegistryHost& host_;
  std::string registry_, repository_;
  std::vector<RegistryAuth> credentials_;
  std::size_t next_credential_ = 0, used_credential_ = 0;
  std::string authorization_;
  base::CancelToken cancel_;
  SendFunction send_;
};

}  // namespace skiff::runtime
