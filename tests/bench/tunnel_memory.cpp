// What a connected idle node costs the master: many nodes of one process (a child) connect to a
// master in this one. Usage: tunnel_memory [nodes]
#include "client/uplink/node_session.h"
#include "unit/apiserver/cluster_fixture.h"

#include <skiff/base/log.h>
#include <skiff/http/http2.h>

#include <malloc.h>
#include <openssl/crypto.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <string>

using namespace skiff;

namespace {

constexpr int kNodesDefault = 400;

std::atomic<long> openssl_bytes = 0;

void* counted_malloc(std::size_t size, const char*, int) {
  void* memory = std::malloc(size);
  openssl_bytes += static_cast<long>(malloc_usable_size(memory));
  return memory;
}
void counted_free(void* memory, const char*, int) {
  openssl_bytes -= static_cast<long>(malloc_usable_size(memory));
  std::free(memory);
}
void* counted_realloc(void* memory, std::size_t size, const char*, int) {
  openssl_bytes -= static_cast<long>(malloc_usable_size(memory));
  void* grown = std::realloc(memory, size);
  openssl_bytes += static_cast<long>(malloc_usable_size(grown));
  return grown;
}

long resident_bytes() {
  std::FILE* file = std::fopen("/proc/self/statm", "r");
  long total = 0;
  long resident = 0;
  if (file == nullptr || std::fscanf(file, "%ld %ld", &total, &resident) != 2) std::abort();
  std::fclose(file);
  return resident * sysconf(_SC_PAGESIZE);
}

struct Sample {
  long resident, heap, openssl;
  static Sample take() {
    malloc_trim(0);
    return {resident_bytes(), static_cast<long>(mallinfo2().uordblks), openssl_bytes};
  }
};

void print_row(const char* what, const Sample& from, const Sample& to, int count) {
  std::printf("%-34s %9.1f %9.1f %9.1f\n", what,
              static_cast<double>(to.resident - from.resident) / 1024 / count,
              static_cast<double>(to.heap - from.heap) / 1024 / count,
              static_cast<double>(to.openssl - from.openssl) / 1024 / count);
}

void put(int fd, char byte) {
  if (write(fd, &byte, 1) != 1) std::abort();
}
void await(int fd, char wanted) {
  char byte = 0;
  if (read(fd, &byte, 1) != 1 || byte != wanted) std::abort();
}

// ---- the child: nodes

struct Node {
  std::string name;
  std::unique_ptr<http::Http2Connection> connection;
  base::OneShot<bool> established;
};

base::Task<void> connect(loop::Loop* loop, std::uint16_t port,
                         std::shared_ptr<http::TlsContext> tls, Node* node) {
  http::Http2ConnectOptions options;
  options.host = "127.0.0.1";
  options.port = port;
  options.server_name = "kubernetes";
  options.tls = std::move(tls);
  auto connecting = http::connect_http2(*loop, std::move(options));
  auto connected = co_await std::move(connecting);
  SKIFF_ASSERT(connected.is_ok());
  node->connection = std::move(*connected);
}

base::Task<void> keep_session(loop::Loop* loop, Node* node) {
  client::NodeSessionOptions options;
  options.loop = loop;
  options.node_name = node->name;
  options.on_established = [node] { node->established.set(true); };
  auto running = client::run_node_session(*node->connection, std::move(options), {});
  auto why = co_await std::move(running);
  std::fprintf(stderr, "a session ended: %s\n", why.to_string().c_str());
}

base::Task<void> establish(loop::Loop* loop, Node* node) {
  base::spawn_detached(*loop, keep_session(loop, node));
  auto future = node->established.future();
  (void)co_await future;
}

[[noreturn]] void run_nodes(const test::TestAuthority& authority, int fd, int count) {
  std::uint16_t port = 0;
  if (read(fd, &port, sizeof port) != sizeof port) std::abort();
  auto loop = std::make_unique<test::LoopThread>("nodes");
  std::vector<std::unique_ptr<Node>> nodes;
  for (int i = 0; i < count; ++i) {
    auto node = std::make_unique<Node>();
    node->name = "n" + std::to_string(i);
    auto tls = authority.client_tls("system:node:" + node->name, "system:nodes");
    loop->run(connect(&loop->loop(), port, tls, node.get()));
    nodes.push_back(std::move(node));
  }
  put(fd, 'c');
  await(fd, 's');
  for (auto& node : nodes) loop->run(establish(&loop->loop(), node.get()));
  put(fd, 's');
  await(fd, 'q');
  _exit(0);
}

base::Task<bool> pause_on(loop::Loop* loop, base::Duration time) {
  auto sleeping = base::sleep(*loop, time, {});
  co_return co_await std::move(sleeping);
}

}  // namespace

int main(int argc, char** argv) {
  CRYPTO_set_mem_functions(counted_malloc, counted_realloc, counted_free);
  base::set_log(base::LogLevel::error, base::LogFormat::text);
  const int count = argc > 1 ? std::atoi(argv[1]) : kNodesDefault;
  test::TestAuthority authority;
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0) std::abort();
  const pid_t child = fork();
  if (child == 0) run_nodes(authority, ends[1], count);
  test::TestMaster master(authority);
  master.serve();
  auto port = master.port();
  auto client = master.loopback();
  auto rest = [&master] {
    (void)master.thread().run(pause_on(&master.thread().loop(), std::chrono::seconds(3)));
  };
  rest();
  const auto idle = Sample::take();
  if (write(ends[0], &port, sizeof port) != sizeof port) std::abort();
  await(ends[0], 'c');
  rest();
  const auto connected = Sample::take();
  put(ends[0], 's');
  await(ends[0], 's');
  rest();
  const auto established = Sample::take();
  std::printf("%d nodes; KB of each                 RSS      heap   OpenSSL\n", count);
  print_row("TLS and HTTP/2, idle", idle, connected, count);
  print_row("and the control session", connected, established, count);
  print_row("together", idle, established, count);
  put(ends[0], 'q');
  (void)waitpid(child, nullptr, 0);
  return 0;
}
