#include "http/tls_session.h"

#include <skiff/base/strings.h>

#include "http/limits.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <cstring>

namespace skiff::http {

namespace {

bool is_ip_address(const std::string& name) {
  unsigned char bytes[16];
  return inet_pton(AF_INET, name.c_str(), bytes) == 1 ||
         inet_pton(AF_INET6, name.c_str(), bytes) == 1;
}

}  // namespace

const BIO_METHOD* TlsSession::bio_method() {
  static const BIO_METHOD* method = [] {
    BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "skiff buffers");
    BIO_meth_set_read(made, &TlsSession::bio_read);
    BIO_meth_set_write(made, &TlsSession::bio_write);
    BIO_meth_set_ctrl(made, &TlsSession::bio_control);
    return made;
  }();
  return method;
}

int TlsSession::bio_read(BIO* bio, char* out, int size) {
  auto* self = static_cast<TlsSession*>(BIO_get_data(bio));
  BIO_clear_retry_flags(bio);
  if (self->input_.empty()) {
    BIO_set_retry_read(bio);
    return -1;
  }
  std::size_t take = std::min(self->input_.size(), static_cast<std::size_t>(size));
  std::memcpy(out, self->input_.data(), take);
  self->input_.remove_prefix(take);
  return static_cast<int>(take);
}

int TlsSession::bio_write(BIO* bio, const char* bytes, int size) {
  auto* self = static_cast<TlsSession*>(BIO_get_data(bio));
  BIO_clear_retry_flags(bio);
  if (self->output_ == nullptr) return -1;
  self->output_->append(bytes, static_cast<std::size_t>(size));
  return size;
}

long TlsSession::bio_control(BIO*, int command, long, void*) {
  return command == BIO_CTRL_FLUSH ? 1 : 0;
}

base::Status TlsSession::open(TlsContext& context) {
  auto& parts = static_cast<OpensslContext&>(context);
  context_ = parts.current();
  ssl_ = SSL_new(context_.get());
  if (ssl_ == nullptr) return tls_error(base::Code::internal, "make a TLS session");
  BIO* bio = BIO_new(bio_method());
  if (bio == nullptr) return tls_error(base::Code::internal, "make a TLS session");
  BIO_set_data(bio, this);
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl_, bio, bio);
  SSL_set_app_data(ssl_, this);
  takes_future_ = static_cast<bool>(parts.now());
  if (takes_future_)
    X509_VERIFY_PARAM_set_time(SSL_get0_param(ssl_),
                               static_cast<time_t>(parts.now()().unix_seconds()));
  return base::Status::ok();
}

base::Result<std::unique_ptr<TlsSession>> TlsSession::make_server(TlsContext& context) {
  std::unique_ptr<TlsSession> session(new TlsSession);
  SKIFF_RETURN_IF_ERROR(session->open(context));
  SSL_set_accept_state(session->ssl_);
  return session;
}

base::Result<std::unique_ptr<TlsSession>> TlsSession::make_client(TlsContext& context,
                                                                  const std::string& server_name,
                                                                  bool wants_http2) {
  std::unique_ptr<TlsSession> session(new TlsSession);
  SKIFF_RETURN_IF_ERROR(session->open(context));
  SSL_set_connect_state(session->ssl_);
  static constexpr unsigned char kHttp2Only[] = "\x02h2";
  if (wants_http2) SSL_set_alpn_protos(session->ssl_, kHttp2Only, sizeof kHttp2Only - 1);
  if (is_ip_address(server_name)) {
    X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(session->ssl_), server_name.c_str());
  } else if (!server_name.empty()) {
    if (SSL_set_tlsext_host_name(session->ssl_, server_name.c_str()) != 1 ||
        SSL_set1_host(session->ssl_, server_name.c_str()) != 1)
      return tls_error(base::Code::invalid_argument, base::concat("server name ", server_name));
  }
  return session;
}

bool TlsSession::is_http2() const {
  const unsigned char* protocol = nullptr;
  unsigned size = 0;
  SSL_get0_alpn_selected(ssl_, &protocol, &size);
  return size == 2 && std::memcmp(protocol, "h2", 2) == 0;
}

TlsSession::~TlsSession() { SSL_free(ssl_); }

int TlsSession::on_verify_server(int ok, X509_STORE_CTX* store) {
  if (ok != 0) return ok;
  auto* ssl =
      static_cast<SSL*>(X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()));
  auto* self = static_cast<TlsSession*>(SSL_get_app_data(ssl));
  const int error = X509_STORE_CTX_get_error(store);
  if (error == X509_V_ERR_CERT_NOT_YET_VALID && self->takes_future_) {
    X509_STORE_CTX_set_error(store, X509_V_OK);
    return 1;
  }
  if (self->verify_error_ == X509_V_OK) self->verify_error_ = error;
  return 0;
}

int TlsSession::on_verify_client(int ok, X509_STORE_CTX* store) {
  on_verify_server(ok, store);
  return 1;
}

base::Status TlsSession::handshake() {
  ERR_clear_error();
  int result = SSL_do_handshake(ssl_);
  if (result == 1) {
    established_ = true;
    return base::Status::ok();
  }
  int error = SSL_get_error(ssl_, result);
  if (error == SSL_ERROR_WANT_READ) return base::Status::ok();
  failed_ = true;
  saw_plain_http_ = ERR_GET_REASON(ERR_peek_error()) == SSL_R_HTTP_REQUEST;
  long verify = SSL_get_verify_result(ssl_);
  if (SSL_is_server(ssl_) == 0 && verify != X509_V_OK) {
    ERR_clear_error();
    return {base::Code::unavailable, base::concat("tls: failed to verify certificate: ",
                                                  X509_verify_cert_error_string(verify))};
  }
  return tls_error(base::Code::unavailable, "TLS handshake");
}

base::Status TlsSession::start(std::string& cipher_out) {
  output_ = &cipher_out;
  auto status = handshake();
  output_ = nullptr;
  return status;
}

base::Status TlsSession::read_all(std::string& plain) {
  thread_local char record[kTlsRecordBytes];
  for (;;) {
    ERR_clear_error();
    int size = SSL_read(ssl_, record, sizeof record);
    if (size > 0) {
      plain.append(record, static_cast<std::size_t>(size));
      continue;
    }
    int error = SSL_get_error(ssl_, size);
    if (error == SSL_ERROR_WANT_READ) return base::Status::ok();
    if (error == SSL_ERROR_ZERO_RETURN) {
      at_end_ = true;
      return base::Status::ok();
    }
    failed_ = true;
    return tls_error(base::Code::unavailable, "TLS read");
  }
}

base::Status TlsSession::receive(std::string_view cipher, std::string& plain,
                                 std::string& cipher_out) {
  if (failed_ || at_end_) return base::Status::ok();
  std::string joined;
  if (!held_.empty()) {
    joined = std::move(held_);
    std::string().swap(held_);
    joined.append(cipher);
    cipher = joined;
  }
  input_ = cipher;
  output_ = &cipher_out;
  auto status = established_ ? base::Status::ok() : handshake();
  if (status.is_ok() && established_) status = read_all(plain);
  if (!input_.empty() && status.is_ok() && !at_end_) held_.assign(input_);
  input_ = {};
  output_ = nullptr;
  return status;
}

base::Status TlsSession::encrypt(std::string_view plain, std::string& cipher_out) {
  output_ = &cipher_out;
  base::Status status;
  while (!plain.empty()) {
    ERR_clear_error();
    std::size_t written = 0;
    if (SSL_write_ex(ssl_, plain.data(), std::min(plain.size(), kTlsRecordBytes), &written) != 1) {
      failed_ = true;
      status = tls_error(base::Code::unavailable, "TLS write");
      break;
    }
    plain.remove_prefix(written);
  }
  output_ = nullptr;
  return status;
}

void TlsSession::close(std::string& cipher_out) {
  if (!established_ || failed_) return;
  output_ = &cipher_out;
  SSL_shutdown(ssl_);
  ERR_clear_error();
  output_ = nullptr;
}

}  // namespace skiff::http
