// A load of one kind of request over keep-alive connections, the same for skiff and its peers:
//
//   api_load --address 127.0.0.1:6443 --path /api/v1/… [--method POST --body FILE]
//            [--ca FILE --cert FILE --key FILE | --plain] [--host NAME] [--header 'Name: value']
//            [--connections 64] [--seconds 3 | --requests N]
//
// Prints one JSON line: requests, errors, seconds, bytes, p50_us, p99_us. In a body, @N@ becomes a
// number that no other request has.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cctype>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

struct Options {
  std::string address = "127.0.0.1", method = "GET", path = "/", host = "127.0.0.1", body, headers;
  std::string ca, certificate, key, prefix;
  int port = 6443, connections = 64, threads = 1;
  bool plain = false;
  double seconds = 3;
  long requests = 0;  // zero: as many as fit into `seconds`
};

struct Counts {
  long requests = 0, errors = 0;
  std::uint64_t bytes = 0;
  std::vector<std::uint32_t> latencies_us;
};

std::atomic<long> next_number{0};

[[noreturn]] void die(const std::string& why) {
  std::fprintf(stderr, "api_load: %s\n", why.c_str());
  std::exit(1);
}

std::string read_all(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) die("cannot read " + path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

std::string next_request(const Options& options) {
  long number = next_number++;
  char digits[24];
  std::snprintf(digits, sizeof digits, "%08ld", number);  // of one width: keys may be base64
  std::string body = options.body;
  for (auto at = body.find("@N@"); at != std::string::npos; at = body.find("@N@"))
    body.replace(at, 3, options.prefix + digits);
  std::string text = options.method + " " + options.path + " HTTP/1.1\r\nHost: " + options.host +
                     "\r\n" + options.headers;
  if (!body.empty())
    text +=
        "Content-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) + "\r\n";
  return text + "\r\n" + body;
}

// One keep-alive connection with one request on the way.
class Connection {
 public:
  Connection(const Options& options, SSL_CTX* tls) : options_(options) {
    fd_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(static_cast<std::uint16_t>(options.port));
    inet_pton(AF_INET, options.address.c_str(), &to.sin_addr);
    if (connect(fd_, reinterpret_cast<sockaddr*>(&to), sizeof to) != 0)
      die("connect: " + std::string(std::strerror(errno)));
    int on = 1;
    setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (tls != nullptr) {
      ssl_ = SSL_new(tls);
      SSL_set_fd(ssl_, fd_);
      if (SSL_connect(ssl_) != 1) die("the TLS handshake failed");
    }
    fcntl(fd_, F_SETFL, O_NONBLOCK);
  }
  ~Connection() {
    if (ssl_ != nullptr) SSL_free(ssl_);
    close(fd_);
  }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  int fd() const { return fd_; }
  void begin() {
    out_ = next_request(options_);
    sent_ = 0;
    in_.clear();
    head_bytes_ = received_ = 0;
    started_ = Clock::now();
    flush();
  }
  // True when an answer is complete.
  bool on_ready(Counts& counts) {
    flush();
    static thread_local std::array<char, 256 * 1024> buffer;
    for (;;) {
      long got = ssl_ != nullptr ? SSL_read(ssl_, buffer.data(), buffer.size())
                                 : read(fd_, buffer.data(), buffer.size());
      if (got <= 0) {
        if (got == 0 || !would_block(got))
          die("the server closed a connection: " + in_.substr(0, 300));
        return false;
      }
      received_ += static_cast<std::size_t>(got);
      take({buffer.data(), static_cast<std::size_t>(got)});
      if (!is_complete()) continue;
      ++counts.requests;
      counts.bytes += received_;
      bool good = in_.compare(9, 1, "2") == 0;
      if (!good && counts.errors++ == 0) std::fprintf(stderr, "%s\n", in_.substr(0, 600).c_str());
      auto took = std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - started_);
      counts.latencies_us.push_back(static_cast<std::uint32_t>(took.count()));
      return true;
    }
  }

 private:
  bool would_block(long got) const {
    if (ssl_ == nullptr) return errno == EAGAIN;
    int error = SSL_get_error(ssl_, static_cast<int>(got));
    return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE;
  }
  void flush() {
    while (sent_ < out_.size()) {
      long put = ssl_ != nullptr
                     ? SSL_write(ssl_, out_.data() + sent_, static_cast<int>(out_.size() - sent_))
                     : write(fd_, out_.data() + sent_, out_.size() - sent_);
      if (put <= 0) return;
      sent_ += static_cast<std::size_t>(put);
    }
  }
  // Of a body of known length only the count is kept.
  void take(std::string_view piece) {
    if (head_bytes_ == 0 || chunked_) {
      in_ += piece;
      if (head_bytes_ == 0) read_head();
    }
    if (chunked_ && in_.size() > 4096) in_.erase(16, in_.size() - 1024);
  }
  void read_head() {
    auto end = in_.find("\r\n\r\n");
    if (end == std::string::npos) return;
    head_bytes_ = end + 4;
    std::string head = in_.substr(0, head_bytes_);
    for (char& c : head) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    auto at = head.find("content-length:");
    chunked_ = at == std::string::npos;
    body_bytes_ = chunked_ ? 0 : std::strtoull(head.c_str() + at + 15, nullptr, 10);
  }
  bool is_complete() const {
    if (head_bytes_ == 0) return false;
    if (!chunked_) return received_ >= head_bytes_ + body_bytes_;
    return in_.size() >= 5 && in_.compare(in_.size() - 5, 5, "0\r\n\r\n") == 0;
  }

  const Options& options_;
  int fd_ = -1;
  SSL* ssl_ = nullptr;
  std::string out_, in_;
  std::size_t sent_ = 0, head_bytes_ = 0, body_bytes_ = 0, received_ = 0;
  bool chunked_ = false;
  Clock::time_point started_;
};

SSL_CTX* make_tls(const Options& options) {
  if (options.plain) return nullptr;
  SSL_CTX* tls = SSL_CTX_new(TLS_client_method());
  SSL_CTX_set_mode(tls, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  if (!options.ca.empty() && SSL_CTX_load_verify_locations(tls, options.ca.c_str(), nullptr) != 1)
    die("cannot use " + options.ca);
  if (!options.certificate.empty() &&
      (SSL_CTX_use_certificate_chain_file(tls, options.certificate.c_str()) != 1 ||
       SSL_CTX_use_PrivateKey_file(tls, options.key.c_str(), SSL_FILETYPE_PEM) != 1))
    die("cannot use " + options.certificate);
  return tls;
}

void run_thread(const Options& options, SSL_CTX* tls, int connections, std::atomic<long>& left,
                Clock::time_point end, Counts& counts) {
  int poll = epoll_create1(EPOLL_CLOEXEC);
  std::vector<std::unique_ptr<Connection>> all;
  int busy = 0;
  for (int i = 0; i < connections; ++i) {
    all.push_back(std::make_unique<Connection>(options, tls));
    epoll_event event{EPOLLIN, {all.back().get()}};
    epoll_ctl(poll, EPOLL_CTL_ADD, all.back()->fd(), &event);
  }
  auto next = [&](Connection& connection) {
    if (Clock::now() >= end || left-- <= 0) return false;
    connection.begin();
    return true;
  };
  for (auto& connection : all) busy += next(*connection) ? 1 : 0;
  std::array<epoll_event, 64> events;
  while (busy > 0) {
    int ready = epoll_wait(poll, events.data(), events.size(), 20'000);
    if (ready <= 0) die("no answer for 20 seconds");
    for (int i = 0; i < ready; ++i) {
      auto& connection = *static_cast<Connection*>(events[static_cast<std::size_t>(i)].data.ptr);
      if (connection.on_ready(counts) && !next(connection)) --busy;
    }
  }
  close(poll);
}

Options parse(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    std::string name = argv[i];
    if (name == "--plain") {
      options.plain = true;
      continue;
    }
    if (++i >= argc) die(name + " needs a value");
    std::string value = argv[i];
    auto colon = value.find(':');
    if (name == "--address") {
      options.address = options.host = value.substr(0, colon);
      options.port = std::atoi(value.substr(colon + 1).c_str());
    } else if (name == "--method")
      options.method = value;
    else if (name == "--path")
      options.path = value;
    else if (name == "--body")
      options.body = read_all(value);
    else if (name == "--prefix")
      options.prefix = value;
    else if (name == "--header")
      options.headers += value + "\r\n";
    else if (name == "--ca")
      options.ca = value;
    else if (name == "--cert")
      options.certificate = value;
    else if (name == "--key")
      options.key = value;
    else if (name == "--connections")
      options.connections = std::atoi(value.c_str());
    else if (name == "--threads")
      options.threads = std::atoi(value.c_str());
    else if (name == "--seconds")
      options.seconds = std::atof(value.c_str());
    else if (name == "--requests")
      options.requests = std::atol(value.c_str());
    else
      die("unknown option " + name);
  }
  return options;
}

}  // namespace

int main(int argc, char** argv) {
  Options options = parse(argc, argv);
  SSL_CTX* tls = make_tls(options);
  std::atomic<long> left{options.requests > 0 ? options.requests : 1L << 60};
  auto start = Clock::now();
  double seconds_max = options.requests > 0 ? 300 : options.seconds;
  auto end = start + std::chrono::duration_cast<Clock::duration>(
                         std::chrono::duration<double>(seconds_max));
  std::vector<Counts> counts(static_cast<std::size_t>(options.threads));
  std::vector<std::thread> threads;
  for (auto& one : counts)
    threads.emplace_back(
        [&] { run_thread(options, tls, options.connections / options.threads, left, end, one); });
  for (auto& thread : threads) thread.join();
  double took = std::chrono::duration<double>(Clock::now() - start).count();
  Counts all;
  for (auto& one : counts) {
    all.requests += one.requests;
    all.errors += one.errors;
    all.bytes += one.bytes;
    all.latencies_us.insert(all.latencies_us.end(), one.latencies_us.begin(),
                            one.latencies_us.end());
  }
  std::sort(all.latencies_us.begin(), all.latencies_us.end());
  auto at = [&](double part) {
    if (all.latencies_us.empty()) return 0u;
    return all.latencies_us[static_cast<std::size_t>(
        part * static_cast<double>(all.latencies_us.size() - 1))];
  };
  std::printf(
      "{\"requests\":%ld,\"errors\":%ld,\"seconds\":%.3f,\"per_second\":%.1f,\"bytes\":%llu,\"p50_"
      "us\":%u,\"p99_us\":%u}\n",
      all.requests, all.errors, took, static_cast<double>(all.requests) / took,
      static_cast<unsigned long long>(all.bytes), at(0.5), at(0.99));
  return all.errors == 0 ? 0 : 1;
}
