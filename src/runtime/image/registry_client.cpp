#include "runtime/image/registry_client.h"

#include <skiff/base/strings.h>
#include <skiff/codec/base64.h>
#include <skiff/codec/json.h>
#include <skiff/sys/files.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "runtime/image/sha256.h"
#include "runtime/limits.h"

namespace skiff::runtime {
namespace {

using base::concat;
using base::errno_status;

constexpr const char* kManifestTypes =
    "application/vnd.oci.image.index.v1+json, "
    "application/vnd.docker.distribution.manifest.list.v2+json, "
    "application/vnd.oci.image.manifest.v1+json, "
    "application/vnd.docker.distribution.manifest.v2+json";

std::string host_of(std::string_view url) {
  std::size_t start = url.find("://");
  if (start == std::string_view::npos) return "";
  auto rest = url.substr(start + 3);
  return std::string(rest.substr(0, rest.find_first_of("/?#")));
}

std::string origin_of(std::string_view url) {
  return concat(url.substr(0, url.find("://") + 3), host_of(url));
}

bool is_secure(std::string_view url) { return base::starts_with(url, "https://"); }
bool is_redirect(int status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

std::string basic_authorization(const RegistryAuth& auth) {
  return "Basic " + codec::base64_encode(concat(auth.username, ":", auth.password));
}

bool is_token_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

void skip_spaces(std::string_view text, std::size_t& at) {
  while (at < text.size() && (text[at] == ' ' || text[at] == '\t' || text[at] == ',')) ++at;
}

std::string take_token(std::string_view text, std::size_t& at) {
  std::size_t start = at;
  while (at < text.size() && is_token_char(text[at])) ++at;
  return std::string(text.substr(start, at - start));
}

base::Result<std::string> take_value(std::string_view text, std::size_t& at) {
  if (at >= text.size() || text[at] != '"') return take_token(text, at);
  std::string value;
  for (++at; at < text.size() && text[at] != '"'; ++at) {
    if (text[at] == '\\' && at + 1 < text.size()) ++at;
    value += text[at];
  }
  if (at >= text.size()) return base::invalid_argument("challenge with an open quote");
  ++at;
  return value;
}

}  // namespace

std::string_view Challenge::parameter(std::string_view name) const {
  for (const auto& [key, value] : parameters)
    if (base::equals_ignore_case(key, name)) return value;
  return {};
}

base::Result<Challenge> parse_challenge(std::string_view header) {
  if (header.size() > kChallengeBytesMax)
    return base::Status(base::Code::too_large, "challenge is too long");
  Challenge out;
  std::size_t at = 0;
  skip_spaces(header, at);
  out.scheme = base::to_lower(take_token(header, at));
  if (out.scheme.empty()) return base::invalid_argument("challenge without a scheme");
  for (;;) {
    skip_spaces(header, at);
    if (at == header.size()) return out;
    std::string name = take_token(header, at);
    // A second challenge, or bytes that are none: the first one is what counts.
    if (name.empty() || at == header.size() || header[at] != '=') return out;
    ++at;
    SKIFF_ASSIGN_OR_RETURN(auto value, take_value(header, at));
    out.parameters.emplace_back(std::move(name), std::move(value));
  }
}

std::string registry_message(std::string_view body) {
  codec::JsonParseOptions options;
  options.limits.bytes_max = kRegistryErrorBytesMax;
  const auto json = codec::parse_json(body, options);
  if (!json.is_ok()) return "";
  std::string text;
  if (!(*json)["errors"].empty()) {
    const codec::Json& first = (*json)["errors"].item(0);
    text = first["message"].as_string(first["code"].as_string());
  }
  if (text.empty()) text = (*json)["message"].as_string((*json)["details"].as_string());
  // One sentence of it: it goes into events.
  text = text.substr(0, std::min(text.find('\n'), kRegistryMessageBytesMax));
  return text;
}

// Where a blob goes while it comes.
struct RegistryClient::BlobFile {
  base::UniqueFd fd;
  std::uint64_t have = 0;      // bytes in the file
  std::uint64_t expected = 0;  // bytes of the blob
  Sha256 hash;
  base::Status error;

  bool begin(int status, const http::Headers& headers) {
    if (status != 200 && status != 206) return true;
    if (have == 0) return true;
    bool goes_on = status == 206 &&
                   base::starts_with(headers.get("Content-Range"), concat("bytes ", have, "-"));
    if (goes_on) return true;
    // The whole blob comes again.
    if (ftruncate(fd.get(), 0) != 0 || lseek(fd.get(), 0, SEEK_SET) != 0) {
      error = errno_status(errno, "restart download");
      return false;
    }
    have = 0;
    hash = Sha256();
    return status == 200;
  }

  bool take(std::string_view piece) {
    have += piece.size();
    if (have > expected) {
      error = base::Status(base::Code::too_large, "the blob is longer than its manifest says");
      return false;
    }
    hash.update(piece);
    error = sys::write_all(fd.get(), piece);
    return error.is_ok();
  }
};

RegistryClient::RegistryClient(RegistryEndpoint endpoint, const RegistryHost& host,
                               std::string registry, std::string repository,
                               std::vector<RegistryAuth> credentials, base::CancelToken cancel,
                               SendFunction send)
    : endpoint_(std::move(endpoint)),
      host_(host),
      registry_(std::move(registry)),
      repository_(std::move(repository)),
      credentials_(std::move(credentials)),
      cancel_(std::move(cancel)),
      send_(std::move(send)) {}

std::string RegistryClient::url_of(std::string_view kind, std::string_view name) const {
  std::string url = concat(endpoint_.url, "/", repository_, "/", kind, "/", name);
  if (endpoint_.is_mirror) url += concat("?ns=", registry_);
  return url;
}

base::Status RegistryClient::refusal(const http::ClientResponse& answer) const {
  std::string text = concat(endpoint_.host, " answered ", answer.status);
  if (auto message = registry_message(answer.body); !message.empty()) text += ": " + message;
  switch (answer.status) {
    case 404: return base::not_found(std::move(text));
    case 401: return base::Status(base::Code::unauthenticated, std::move(text));
    case 403: return base::Status(base::Code::permission_denied, std::move(text));
    case 429: return base::Status(base::Code::too_many_requests, std::move(text));
    default: return base::unavailable(std::move(text));
  }
}

base::Result<http::ClientResponse> RegistryClient::send(const std::string& url,
                                                        http::Headers headers,
                                                        bool with_authorization,
                                                        std::size_t bytes_max, BlobFile* file) {
  if (cancel_.is_cancelled()) return base::cancelled("the pull was cancelled");
  http::BlockingRequest request;
  request.url = url;
  request.headers = std::move(headers);
  if (with_authorization && !authorization_.empty())
    request.headers.set("Authorization", authorization_);
  if (origin_of(url) == origin_of(endpoint_.url)) {
    request.ca_pem = host_.ca_pem;
    request.certificate_pem = host_.certificate_pem;
    request.key_pem = host_.key_pem;
    request.insecure = host_.insecure;
  }
  request.body_bytes_max = bytes_max;
  request.timeout_ms = kRegistryTimeoutMs;
  if (file != nullptr) {
    request.on_head = [file](int status, const http::Headers& head) {
      return file->begin(status, head);
    };
    request.sink = [file, this](std::string_view piece) {
      return !cancel_.is_cancelled() && file->take(piece);
    };
  }
  auto answer = send_(std::move(request));
  if (cancel_.is_cancelled()) return base::cancelled("the pull was cancelled");
  if (file != nullptr && !file->error.is_ok()) return file->error;
  return answer;
}

// Blobs often lie elsewhere; what opens the registry is not shown to others.
base::Result<http::ClientResponse> RegistryClient::follow(http::ClientResponse answer,
                                                          std::string url,
                                                          const http::Headers& headers,
                                                          std::size_t bytes_max, BlobFile* file) {
  for (int hop = 0; is_redirect(answer.status); ++hop) {
    if (hop == kRedirectsMax)
      return base::unavailable(concat(endpoint_.host, " redirects too often"));
    std::string target(answer.headers.get("Location"));
    if (base::starts_with(target, "/")) target = origin_of(url) + target;
    if (!base::starts_with(target, "https://") &&
        (is_secure(url) || !base::starts_with(target, "http://")))
      return base::unavailable(concat(endpoint_.host, " redirects to ", base::quote(target)));
    bool is_same = origin_of(target) == origin_of(endpoint_.url);
    url = std::move(target);
    SKIFF_ASSIGN_OR_RETURN(answer, send(url, headers, is_same, bytes_max, file));
  }
  return answer;
}

base::Result<http::ClientResponse> RegistryClient::get(const std::string& url,
                                                       const http::Headers& headers,
                                                       std::size_t bytes_max, BlobFile* file) {
  for (;;) {
    SKIFF_ASSIGN_OR_RETURN(auto answer, send(url, headers, true, bytes_max, file));
    bool is_shut = answer.status == 401 || (answer.status == 403 && !authorization_.empty());
    if (is_shut && let_in(answer).is_ok()) continue;
    SKIFF_ASSIGN_OR_RETURN(answer, follow(std::move(answer), url, headers, bytes_max, file));
    if (answer.status < 200 || answer.status > 299) return refusal(answer);
    // A token may run out: what worked now is the first to be tried then.
    next_credential_ = used_credential_;
    return answer;
  }
}

// Takes the next credential, the last one being none. Errors: unauthenticated when all are tried.
base::Status RegistryClient::let_in(const http::ClientResponse& answer) {
  SKIFF_ASSIGN_OR_RETURN(auto challenge, parse_challenge(answer.headers.get("WWW-Authenticate")));
  while (next_credential_ <= credentials_.size()) {
    bool is_last = next_credential_ == credentials_.size();
    RegistryAuth auth = is_last ? RegistryAuth() : credentials_[next_credential_];
    used_credential_ = next_credential_++;
    authorization_.clear();
    if (challenge.scheme == "bearer") {
      if (let_in_by_token(challenge, auth).is_ok()) return {};
    } else if (challenge.scheme == "basic" && !is_last) {
      authorization_ = basic_authorization(auth);
      return {};
    }
  }
  return base::Status(base::Code::unauthenticated, concat(endpoint_.host, " lets nobody in"));
}

base::Status RegistryClient::let_in_by_token(const Challenge& challenge, const RegistryAuth& auth) {
  std::string realm(challenge.parameter("realm"));
  // A password goes nowhere that is less safe than the registry itself.
  if (!is_secure(realm) && (is_secure(endpoint_.url) || !base::starts_with(realm, "http://")))
    return base::invalid_argument(concat("token realm ", base::quote(realm)));
  std::string scope(challenge.parameter("scope"));
  if (scope.empty()) scope = concat("repository:", repository_, ":pull");
  std::string query = concat("service=", http::percent_encode(challenge.parameter("service")),
                             "&scope=", http::percent_encode(scope));
  http::BlockingRequest request;
  if (!auth.identity_token.empty()) {
    request.method = "POST";
    request.url = realm;
    request.headers.set("Content-Type", "application/x-www-form-urlencoded");
    request.body = concat("grant_type=refresh_token&client_id=skiff&refresh_token=",
                          http::percent_encode(auth.identity_token), "&", query);
  } else {
    request.url = concat(realm, realm.find('?') == std::string::npos ? "?" : "&", query);
    if (!auth.username.empty()) request.headers.set("Authorization", basic_authorization(auth));
  }
  if (host_of(realm) == endpoint_.host) {
    request.ca_pem = host_.ca_pem;
    request.insecure = host_.insecure;
  }
  request.timeout_ms = kRegistryTimeoutMs;
  request.body_bytes_max = kTokenBytesMax;
  SKIFF_ASSIGN_OR_RETURN(auto answer, send_(std::move(request)));
  if (answer.status != 200) return refusal(answer);
  SKIFF_ASSIGN_OR_RETURN(const auto json, codec::parse_json(answer.body));
  auto token = json["token"].as_string(json["access_token"].as_string());
  bool is_clean = !token.empty() && std::all_of(token.begin(), token.end(),
                                                [](char c) { return c > ' ' && c < 0x7f; });
  if (!is_clean) return base::unavailable("the token service gives no token");
  authorization_ = concat("Bearer ", token);
  return {};
}

base::Result<RegistryClient::ManifestBytes> RegistryClient::fetch_manifest(
    const std::string& reference) {
  http::Headers headers;
  headers.set("Accept", kManifestTypes);
  SKIFF_ASSIGN_OR_RETURN(auto answer,
                         get(url_of("manifests", reference), headers, kManifestBytesMax, nullptr));
  ManifestBytes out{std::move(answer.body), ""};
  out.digest = sha256_digest(out.text);
  if (is_digest(reference) && out.digest != reference)
    return base::Status(base::Code::data_loss,
                        concat(endpoint_.host, " sent another manifest than ", reference));
  return out;
}

base::Result<std::string> RegistryClient::fetch_small_blob(const Descriptor& blob,
                                                           std::size_t bytes_max) {
  SKIFF_ASSIGN_OR_RETURN(auto answer, get(url_of("blobs", blob.digest), {}, bytes_max, nullptr));
  if (sha256_digest(answer.body) != blob.digest)
    return base::Status(base::Code::data_loss,
                        concat(endpoint_.host, " sent another blob than ", blob.digest));
  return std::move(answer.body);
}

base::Status RegistryClient::try_blob(const Descriptor& blob, const std::string& path) {
  BlobFile file;
  file.fd = base::UniqueFd(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file.fd) return errno_status(errno, path);
  file.expected = static_cast<std::uint64_t>(blob.size);
  std::string buffer(kArchiveBlockBytes, '\0');
  for (;;) {
    ssize_t n = read(file.fd.get(), buffer.data(), buffer.size());
    if (n < 0) return errno_status(errno, path);
    if (n == 0) break;
    file.have += static_cast<std::uint64_t>(n);
    file.hash.update({buffer.data(), static_cast<std::size_t>(n)});
  }
  http::Headers headers;
  if (file.have > 0) headers.set("Range", concat("bytes=", file.have, "-"));
  if (file.have < file.expected)
    SKIFF_RETURN_IF_ERROR(
        get(url_of("blobs", blob.digest), headers, kRegistryErrorBytesMax, &file));
  if (file.have < file.expected) return base::unavailable("the connection ended early");
  if (concat("sha256:", file.hash.finish_hex()) == blob.digest && file.have == file.expected)
    return {};
  unlink(path.c_str());
  return base::Status(base::Code::data_loss,
                      concat(endpoint_.host, " sent another blob than ", blob.digest));
}

base::Status RegistryClient::fetch_blob(const Descriptor& blob, const std::string& path) {
  base::Status status;
  for (int round = 0; round < kBlobTriesMax; ++round) {
    status = try_blob(blob, path);
    // What was cut off goes on from there, at once: the network was up a moment ago.
    bool again = status.code() == base::Code::unavailable ||
                 status.code() == base::Code::deadline_exceeded ||
                 status.code() == base::Code::data_loss || status.code() == base::Code::internal;
    if (!again) break;
  }
  return status;
}

}  // namespace skiff::runtime
