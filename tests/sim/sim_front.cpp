#include "sim/sim_front.h"

#include <skiff/base/strings.h>
#include <skiff/client/uplink.h>

namespace skiff::sim {

using namespace std::chrono_literals;

namespace {

constexpr base::Duration kAuthorityLife = 24h * 365 * 10;
constexpr base::Duration kIdentityLife = 24h * 365;
constexpr std::size_t kTokenIdWords = 1, kTokenSecretWords = 2;

template <class T>
T value_of(base::Result<T> result) {
  SKIFF_ASSERT(result.is_ok());
  return std::move(*result);
}

std::string hex_words(base::Random& random, std::size_t words) {
  std::string bytes;
  for (std::size_t i = 0; i < words; ++i) {
    auto word = random.next();
    bytes.append(reinterpret_cast<const char*>(&word), sizeof word);
  }
  return base::to_hex(bytes);
}

}  // namespace

SimFront::SimFront(test::SimHost& host) : host_(host) {
  pair_ = value_of(pki::make_authority("skiff-ca", host_.clock().now(), kAuthorityLife));
  trust_ = std::make_unique<pki::ClusterTrust>(value_of(pki::open_authority(pair_)),
                                               pair_.certificate_pem);
  make_identity();
  http::TlsServerOptions options;
  options.certificate_pem = identity_.certificate_pem;
  options.key_pem = identity_.key_pem;
  options.client_ca_pem = trust_->bundle_pem();
  options.now = [this] { return host_.clock().now(); };
  tls_ = value_of(http::make_tls_server_context(options));
}

void SimFront::make_identity() {
  pki::CertificateRequest request;
  request.identity.subject.common_name = "kube-apiserver";
  request.identity.dns_names = {std::string(client::kMasterName)};
  request.for_server = true;
  request.now = host_.clock().now();
  request.life = kIdentityLife;
  identity_ = value_of(trust_->signer()->issue(request));
}

void SimFront::serve(http::Handler& handler, base::Executor& workers) {
  http::ServerOptions options;
  options.addresses = {"0.0.0.0"};
  options.port = kMasterPort;
  server_ = value_of(http::make_server(host_, workers, handler, tls_, options));
}

base::Task<void> SimFront::stop() {
  auto stopping = server_->stop(base::Duration::zero());
  co_await std::move(stopping);
  server_.reset();
}

// Trust first: a new identity is believed by those who have the new trust or the old.
void SimFront::replace_trust() {
  std::shared_ptr<const pki::Authority> signer = value_of(pki::open_authority(pair_, cross_pem_));
  const std::string bundle = pair_.certificate_pem + old_pem_;
  SKIFF_ASSERT(tls_->replace_trust(bundle).is_ok());
  trust_->replace(std::move(signer), bundle);
  make_identity();
  SKIFF_ASSERT(tls_->replace_identity(identity_.certificate_pem, identity_.key_pem).is_ok());
}

bool SimFront::roll() {
  if (is_rolling()) return false;
  auto next = value_of(pki::make_authority("skiff-ca-next", host_.clock().now(), kAuthorityLife));
  cross_pem_ = value_of(trust_->signer()->cross_sign(next.certificate_pem)) + cross_pem_;
  old_pem_ = pair_.certificate_pem;
  pair_ = std::move(next);
  replace_trust();
  return true;
}

void SimFront::end_overlap() {
  old_pem_.clear();
  replace_trust();
}

void SimFront::renew() {
  auto info = value_of(pki::inspect_certificate(identity_.certificate_pem));
  const auto life = info.not_after - info.not_before;
  if (host_.clock().now() < info.not_before + life * 2 / 3) return;
  make_identity();
  SKIFF_ASSERT(tls_->replace_identity(identity_.certificate_pem, identity_.key_pem).is_ok());
}

auth::JoinToken SimFront::make_token(base::Random& random) const {
  auto authority = value_of(pki::inspect_certificate(pair_.certificate_pem));
  return {authority.public_key_fingerprint, hex_words(random, kTokenIdWords),
          hex_words(random, kTokenSecretWords)};
}

}  // namespace skiff::sim
