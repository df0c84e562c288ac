// GET of 4 KB over TLS at 64 connections against nginx in the same run (needs nginx and wrk), and
// the memory of idle watch connections. Prints one line per figure.
#include <skiff/base/strings.h>
#include <skiff/http/client.h>
#include <skiff/http/server.h>
#include <skiff/loop/work_pool.h>
#include <skiff/pki/authority.h>

#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <thread>

using namespace skiff;

namespace {

constexpr int kWatches = 1000;
constexpr std::uint16_t kNginxPort = 18443;

// Sends nothing until the client goes.
base::Task<void> idle_watch(http::BodyWriter& writer) {
  base::OneShot<bool> gone;
  base::CancelCallback on_cancel(writer.cancel(), [gone] { gone.set(true); });
  std::vector<base::SharedBytes> first;
  first.emplace_back(std::string(1024, 'e'));
  auto writing = writer.write(std::move(first));
  (void)co_await writing;
  auto future = gone.future();
  (void)co_await future;
}

class BenchHandler final : public http::Handler {
 public:
  explicit BenchHandler(base::SharedBytes body) : body_(std::move(body)) {}
  base::Task<http::Response> handle(http::Request request) override {
    http::Response response = answer();
    if (request.path() == "/watch") {
      response.body.clear();
      response.stream = [](http::BodyWriter& writer) { return idle_watch(writer); };
    }
    co_return response;
  }
  std::optional<http::Response> handle_inline(const http::Request& request) override {
    if (request.path() == "/inline") return answer();
    return std::nullopt;
  }

 private:
  http::Response answer() const {
    http::Response response;
    response.headers.add("Content-Type", "application/json");
    response.body.push_back(body_);
    return response;
  }
  base::SharedBytes body_;
};

// Requests per second as wrk counts them; 0 when it is not there.
double run_wrk(const std::string& url) {
  std::string command = "wrk -t2 -c64 -d4s " + url + " 2>/dev/null";
  FILE* output = ::popen(command.c_str(), "r");
  if (output == nullptr) return 0;
  double rate = 0;
  char line[256];
  while (std::fgets(line, sizeof line, output) != nullptr)
    if (double value = 0; std::sscanf(line, "Requests/sec: %lf", &value) == 1) rate = value;
  ::pclose(output);
  return rate;
}

double cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + 1e-6 * static_cast<double>(t.tv_usec);
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

long resident_kb() {
  std::ifstream status("/proc/self/status");
  std::string word;
  while (status >> word)
    if (word == "VmRSS:") {
      long kb = 0;
      status >> kb;
      return kb;
    }
  return 0;
}

void write_file(const std::string& path, std::string_view text) {
  std::ofstream(path, std::ios::binary) << text;
}

bool start_nginx(const std::string& folder) {
  write_file(folder + "/nginx.conf",
             base::concat(
                 "worker_processes 2;\npid ", folder, "/nginx.pid;\nerror_log ", folder,
                 "/error.log;\nevents { worker_connections 1024; }\nhttp { access_log off; "
                 "keepalive_requests 1000000000; open_file_cache max=10; server { listen "
                 "127.0.0.1:",
                 static_cast<int>(kNginxPort), " ssl; ssl_certificate ", folder,
                 "/cert.pem; ssl_certificate_key ", folder, "/key.pem; root ", folder, "; } }\n"));
  return std::system(
             ("nginx -p " + folder + " -c " + folder + "/nginx.conf 2>/dev/null").c_str()) == 0;
}

base::Task<void> open_watch(http::AsyncClient* client, std::uint16_t port,
                            std::shared_ptr<http::TlsContext> tls,
                            std::vector<std::unique_ptr<http::ResponseStream>>* kept,
                            loop::Loop* loop) {
  while (kept->size() < kWatches) {
    http::ClientRequest request;
    request.host = "127.0.0.1";
    request.port = port;
    request.target = "/watch";
    request.tls = tls;
    auto opening = client->open(std::move(request));
    auto stream = co_await opening;
    if (!stream) break;
    auto reading = (*stream)->read();
    (void)co_await reading;
    kept->push_back(std::move(*stream));
  }
  loop->stop();
}

// The client process: opens the watches, says how many, waits for the parent to go on.
[[noreturn]] void run_client(int from_parent, int to_parent) {
  std::uint16_t port = 0;
  if (::read(from_parent, &port, sizeof port) != sizeof port) std::_Exit(1);
  auto loop = std::move(loop::make_loop("clients").value());
  auto client = http::make_async_client(*loop);
  http::TlsClientOptions options;
  options.insecure = true;
  std::vector<std::unique_ptr<http::ResponseStream>> kept;
  base::spawn_detached(
      *loop, open_watch(client.get(), port, http::make_tls_client_context(options).value(), &kept,
                        loop.get()));
  loop->run();
  int count = static_cast<int>(kept.size());
  if (::write(to_parent, &count, sizeof count) != sizeof count) std::_Exit(1);
  (void)::read(from_parent, &port, sizeof port);
  std::_Exit(0);
}

base::Task<void> stop_server(http::Server* server, loop::Loop* loop) {
  auto stopping = server->stop(std::chrono::seconds(1));
  co_await stopping;
  loop->stop();
}

void compare_with_nginx(std::uint16_t port, const std::string& folder) {
  if (!start_nginx(folder)) {
    std::printf("nginx is not there: no comparison\n");
    return;
  }
  double nginx = run_wrk(base::concat("https://127.0.0.1:", static_cast<int>(kNginxPort), "/obj"));
  for (const char* path : {"/inline", "/worker"}) {
    double cpu = cpu_seconds();
    double rate = run_wrk(base::concat("https://127.0.0.1:", static_cast<int>(port), path));
    cpu = cpu_seconds() - cpu;
    std::printf("get_4kb_tls_64%s: %.0f/s, %.2f of nginx (%.0f/s), %.1f us CPU each\n", path, rate,
                nginx > 0 ? rate / nginx : 0, nginx, rate > 0 ? cpu / (rate * 4) * 1e6 : 0);
  }
  (void)std::system(
      ("nginx -p " + folder + " -c " + folder + "/nginx.conf -s stop 2>/dev/null").c_str());
}

}  // namespace

int main() {
  rlimit files{8192, 8192};
  setrlimit(RLIMIT_NOFILE, &files);
  int to_child[2], from_child[2];
  if (pipe(to_child) != 0 || pipe(from_child) != 0) return 1;
  pid_t child = fork();
  if (child == 0) {
    ::close(to_child[1]);  // else the end of the parent would not show
    run_client(to_child[0], from_child[1]);
  }

  auto now = loop::real_clock().now();
  auto authority = std::move(
      pki::open_authority(pki::make_authority("bench", now, std::chrono::hours(24)).value())
          .value());
  pki::CertificateRequest request;
  request.identity.subject.common_name = "bench";
  request.identity.ip_addresses = {"127.0.0.1"};
  request.for_server = true;
  request.now = now;
  auto identity = authority->issue(request).value();
  char folder[] = "/tmp/skiff-http-bench-XXXXXX";
  if (mkdtemp(folder) == nullptr) return 1;
  (void)::chmod(folder, 0755);
  std::string body = "{\"kind\":\"Pod\",\"data\":\"" + std::string(4096 - 26, 'x') + "\"}";
  write_file(std::string(folder) + "/obj", body);
  write_file(std::string(folder) + "/cert.pem", identity.certificate_pem);
  write_file(std::string(folder) + "/key.pem", identity.key_pem);

  auto loop = std::move(loop::make_loop("io").value());
  loop::WorkPoolOptions pool;
  pool.name = "workers";
  pool.keep_threads = true;
  auto workers = std::move(loop::make_work_pool(pool).value());
  BenchHandler handler{base::SharedBytes(body)};
  auto tls =
      http::make_tls_server_context({identity.certificate_pem, identity.key_pem, ""}).value();
  http::ServerOptions options;
  options.addresses = {"127.0.0.1"};
  auto server = std::move(http::make_server(*loop, *workers, handler, tls, options).value());
  std::uint16_t port = server->port();
  std::thread io([&] { loop->run(); });

  long before = resident_kb();
  int watches = 0;
  bool asked = ::write(to_child[1], &port, sizeof port) == sizeof port &&
               ::read(from_child[0], &watches, sizeof watches) == sizeof watches;
  if (asked && watches > 0)
    std::printf("idle_watch_tls: %.1f kB each (%d watches, %ld kB before)\n",
                static_cast<double>(resident_kb() - before) / watches, watches, before);
  ::close(to_child[1]);
  waitpid(child, nullptr, 0);
  compare_with_nginx(port, folder);

  base::spawn_detached(*loop, stop_server(server.get(), loop.get()));
  io.join();
  server.reset();
  (void)std::system(base::concat("rm -rf ", static_cast<const char*>(folder)).c_str());
  return 0;
}
