#include "unit/http/test_server.h"

#include <skiff/base/strings.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>
#include <catch2/catch.hpp>
#include <csignal>

namespace skiff::http_test {

http::Response text_response(std::string_view text) {
  http::Response response;
  response.headers.add("Content-Type", "text/plain");
  response.body.emplace_back(text);
  return response;
}

base::Task<http::Response> echo(http::Request request) {
  std::string text = base::concat(request.method, " ", request.target, " ", request.body, "\n");
  co_return text_response(text);
}

namespace {

std::string bio_text(BIO* bio) {
  char* data = nullptr;
  long size = BIO_get_mem_data(bio, &data);
  std::string text(data, static_cast<std::size_t>(size));
  BIO_free(bio);
  return text;
}
std::string certificate_text(X509* certificate) {
  BIO* bio = BIO_new(BIO_s_mem());
  PEM_write_bio_X509(bio, certificate);
  return bio_text(bio);
}
std::string key_text(EVP_PKEY* key) {
  BIO* bio = BIO_new(BIO_s_mem());
  PEM_write_bio_PrivateKey(bio, key, nullptr, nullptr, 0, nullptr, nullptr);
  return bio_text(bio);
}

void add_extension(X509* certificate, X509* issuer, int nid, const char* value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value);
  X509_add_ext(certificate, extension, -1);
  X509_EXTENSION_free(extension);
}

X509* make_certificate(EVP_PKEY* key, const std::string& common_name,
                       const std::vector<std::string>& organizations) {
  static long serial = 1;
  X509* certificate = X509_new();
  X509_set_version(certificate, 2);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), ++serial);
  X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
  X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
  X509_set_pubkey(certificate, key);
  X509_NAME* name = X509_get_subject_name(certificate);
  auto add = [&](const char* field, const std::string& value) {
    X509_NAME_add_entry_by_txt(name, field, MBSTRING_UTF8,
                               reinterpret_cast<const unsigned char*>(value.c_str()), -1, -1, 0);
  };
  for (const auto& organization : organizations) add("O", organization);
  add("CN", common_name);
  return certificate;
}

}  // namespace

TestCa::TestCa() {
  EVP_PKEY* key = EVP_EC_gen("P-256");
  X509* certificate = make_certificate(key, "test-ca", {});
  X509_set_issuer_name(certificate, X509_get_subject_name(certificate));
  add_extension(certificate, certificate, NID_basic_constraints, "critical,CA:TRUE");
  add_extension(certificate, certificate, NID_subject_key_identifier, "hash");
  X509_sign(certificate, key, EVP_sha256());
  pem = certificate_text(certificate);
  key_ = std::shared_ptr<void>(key, [](void* p) { EVP_PKEY_free(static_cast<EVP_PKEY*>(p)); });
  certificate_ =
      std::shared_ptr<void>(certificate, [](void* p) { X509_free(static_cast<X509*>(p)); });
}

Identity TestCa::issue(const std::string& common_name,
                       const std::vector<std::string>& organizations) {
  auto* ca = static_cast<X509*>(certificate_.get());
  EVP_PKEY* key = EVP_EC_gen("P-256");
  X509* certificate = make_certificate(key, common_name, organizations);
  X509_set_issuer_name(certificate, X509_get_subject_name(ca));
  add_extension(certificate, ca, NID_subject_alt_name, "DNS:localhost,IP:127.0.0.1");
  add_extension(certificate, ca, NID_ext_key_usage, "serverAuth,clientAuth");
  add_extension(certificate, ca, NID_authority_key_identifier, "keyid:always");
  X509_sign(certificate, static_cast<EVP_PKEY*>(key_.get()), EVP_sha256());
  Identity identity{certificate_text(certificate), key_text(key)};
  X509_free(certificate);
  EVP_PKEY_free(key);
  return identity;
}

TestServer::TestServer(http::Handler& handler, http::ServerOptions options,
                       std::shared_ptr<http::TlsContext> tls, int loops) {
  std::signal(SIGPIPE, SIG_IGN);  // clients write to connections that the server has ended
  auto pool = loop::make_work_pool({.name = "workers", .threads_max = 2, .keep_threads = true});
  REQUIRE(pool);
  workers_ = std::move(*pool);
  if (options.addresses.empty()) options.addresses = {"127.0.0.1"};
  options.share_port = loops > 1;
  for (int i = 0; i < loops; ++i) {
    Part part;
    auto loop = loop::make_loop("io");
    REQUIRE(loop);
    part.loop = std::move(*loop);
    auto server = http::make_server(*part.loop, *workers_, handler, tls, options);
    INFO(server.status().to_string());
    REQUIRE(server);
    part.server = std::move(*server);
    options.port = port_ = part.server->port();
    parts_.push_back(std::move(part));
  }
  for (auto& part : parts_) part.thread = std::thread([loop = part.loop.get()] { loop->run(); });
}

namespace {
base::Task<void> stop_server(http::Server* server, loop::Loop* loop, base::Duration grace) {
  auto stopping = server->stop(grace);
  co_await stopping;
  loop->stop();
}
}  // namespace

void TestServer::stop(base::Duration grace) {
  for (auto& part : parts_)
    base::spawn_detached(*part.loop, stop_server(part.server.get(), part.loop.get(), grace));
  for (auto& part : parts_) part.thread.join();
  for (auto& part : parts_) part.server.reset();
  workers_.reset();
  parts_.clear();
}

TestServer::~TestServer() {
  if (!parts_.empty()) stop();
}

TestClient::TestClient(std::uint16_t port, const std::string& address) {
  bool v6 = address.find(':') != std::string::npos;
  fd_ = ::socket(v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  timeval limit{5, 0};
  setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  int result = 0;
  if (v6) {
    sockaddr_in6 where{};
    where.sin6_family = AF_INET6;
    where.sin6_port = htons(port);
    inet_pton(AF_INET6, address.c_str(), &where.sin6_addr);
    result = ::connect(fd_, reinterpret_cast<sockaddr*>(&where), sizeof where);
  } else {
    sockaddr_in where{};
    where.sin_family = AF_INET;
    where.sin_port = htons(port);
    inet_pton(AF_INET, address.c_str(), &where.sin_addr);
    result = ::connect(fd_, reinterpret_cast<sockaddr*>(&where), sizeof where);
  }
  if (result != 0) {
    ::close(fd_);
    fd_ = -1;
  }
}

TestClient::TestClient(std::uint16_t port, const std::string& ca_pem, const Identity* identity)
    : TestClient(port, ca_pem, identity, kHandshakeLater) {
  handshake();
}

TestClient::TestClient(std::uint16_t port, const std::string& ca_pem, const Identity* identity,
                       HandshakeLater)
    : TestClient(port) {
  SSL_CTX* context = SSL_CTX_new(TLS_client_method());
  context_ =
      std::shared_ptr<void>(context, [](void* p) { SSL_CTX_free(static_cast<SSL_CTX*>(p)); });
  BIO* bio = BIO_new_mem_buf(ca_pem.data(), static_cast<int>(ca_pem.size()));
  X509* ca = PEM_read_bio_X509(bio, nullptr, nullptr, nullptr);
  BIO_free(bio);
  X509_STORE_add_cert(SSL_CTX_get_cert_store(context), ca);
  X509_free(ca);
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
  if (identity != nullptr) {
    bio = BIO_new_mem_buf(identity->certificate_pem.data(), -1);
    X509* leaf = PEM_read_bio_X509(bio, nullptr, nullptr, nullptr);
    BIO_free(bio);
    SSL_CTX_use_certificate(context, leaf);
    X509_free(leaf);
    bio = BIO_new_mem_buf(identity->key_pem.data(), -1);
    EVP_PKEY* key = PEM_read_bio_PrivateKey(bio, nullptr, nullptr, nullptr);
    BIO_free(bio);
    SSL_CTX_use_PrivateKey(context, key);
    EVP_PKEY_free(key);
  }
  SSL* ssl = SSL_new(context);
  ssl_ = std::shared_ptr<void>(ssl, [](void* p) { SSL_free(static_cast<SSL*>(p)); });
  SSL_set_fd(ssl, fd_);
  SSL_set1_host(ssl, "localhost");
}

void TestClient::handshake() {
  if (SSL_connect(static_cast<SSL*>(ssl_.get())) == 1) return;
  ::close(fd_);
  fd_ = -1;
}

TestClient::~TestClient() {
  if (fd_ >= 0) ::close(fd_);
}

bool TestClient::send(std::string_view bytes) {
  if (ssl_)
    return SSL_write(static_cast<SSL*>(ssl_.get()), bytes.data(), static_cast<int>(bytes.size())) ==
           static_cast<int>(bytes.size());
  while (!bytes.empty()) {
    ssize_t size = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (size <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(size));
  }
  return true;
}

long TestClient::receive(char* out, std::size_t size) {
  if (ssl_) return SSL_read(static_cast<SSL*>(ssl_.get()), out, static_cast<int>(size));
  return ::recv(fd_, out, size, 0);
}

std::string TestClient::read_until(std::string_view marker) {
  char bytes[4096];
  for (;;) {
    auto found = buffer_.find(marker);
    if (found != std::string::npos) {
      std::string text = buffer_.substr(0, found + marker.size());
      buffer_.erase(0, text.size());
      return text;
    }
    long size = receive(bytes, sizeof bytes);
    if (size <= 0) return std::exchange(buffer_, {});
    buffer_.append(bytes, static_cast<std::size_t>(size));
  }
}

std::string TestClient::read_bytes(std::size_t wanted) {
  char bytes[65536];
  while (buffer_.size() < wanted) {
    long size = receive(bytes, sizeof bytes);
    if (size <= 0) return std::exchange(buffer_, {});
    buffer_.append(bytes, static_cast<std::size_t>(size));
  }
  std::string text = buffer_.substr(0, wanted);
  buffer_.erase(0, wanted);
  return text;
}

std::string TestClient::read_to_end() {
  char bytes[4096];
  for (;;) {
    long size = receive(bytes, sizeof bytes);
    if (size <= 0) return std::exchange(buffer_, {});
    buffer_.append(bytes, static_cast<std::size_t>(size));
  }
}

void TestClient::shut_down_sending() { ::shutdown(fd_, SHUT_WR); }

std::string TestClient::read_response() {
  std::string head = read_until("\r\n\r\n");
  auto length = head.find("Content-Length: ");
  if (length != std::string::npos) return head + read_bytes(std::stoul(head.substr(length + 16)));
  if (head.find("Transfer-Encoding: chunked") != std::string::npos)
    return head + read_until("0\r\n\r\n");
  return head;
}

}  // namespace skiff::http_test
