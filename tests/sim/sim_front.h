// How boards reach the simulated master: its authority, its tokens, and its HTTPS server on a host
// of the simulated network, with certificates that end in virtual time.
#pragma once

#include <skiff/auth/join_token.h>
#include <skiff/http/server.h>
#include <skiff/pki/authority.h>

#include <memory>
#include <string>

#include "support/sim_network.h"

namespace skiff::sim {

inline constexpr char kMasterAddress[] = "192.168.0.1";
inline constexpr std::uint16_t kMasterPort = 6443;

// Loop-only.
class SimFront {
 public:
  explicit SimFront(test::SimHost& host);
  pki::ClusterTrust& trust() { return *trust_; }

  // While `handler` serves, in virtual time; stop() lets what runs come to its end.
  void serve(http::Handler& handler, base::Executor& workers);
  base::Task<void> stop();
  bool serves() const { return server_ != nullptr; }

  // Another authority signs from now on, the one before stays trusted; false while one does.
  bool roll();
  // Only the authority that signs is trusted from now on.
  void end_overlap();
  bool is_rolling() const { return !old_pem_.empty(); }
  // What a running master does by itself: its own certificate is renewed when two thirds are over.
  void renew();

  // A token that tells a board who this cluster is.
  auth::JoinToken make_token(base::Random& random) const;

 private:
  void make_identity();
  void replace_trust();

  test::SimHost& host_;
  pki::KeyAndCertificate pair_;
  std::string cross_pem_, old_pem_;
  std::unique_ptr<pki::ClusterTrust> trust_;
  pki::KeyAndCertificate identity_;
  std::shared_ptr<http::TlsContext> tls_;
  std::unique_ptr<http::Server> server_;
};

}  // namespace skiff::sim
