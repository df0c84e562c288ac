#include "sim/sim_streams.h"

#include <skiff/base/strings.h>

#include <algorithm>
#include <optional>

#include "sim/faults.h"

namespace skiff::sim {

namespace {

constexpr std::uint64_t kBytesMax = 600'000;  // more than a stream's queue and window hold
constexpr std::size_t kPieceBytesMax = 40'000;

base::Task<void> write_all(client::NodeStream* stream, std::string_view bytes,
                           base::OneShot<bool> done) {
  bool good = true;
  while (good) {
    client::NodeFrame frame;
    frame.data = bytes.substr(0, kPieceBytesMax);
    bytes.remove_prefix(frame.data.size());
    frame.end = bytes.empty();
    const bool is_last = frame.end;
    auto writing = stream->write(std::move(frame));
    auto written = co_await std::move(writing);
    good = written.is_ok() && !is_last;
  }
  done.set(true);
}

}  // namespace

void SimStreams::open(client::NodeChannel& channel, std::string node) {
  std::string bytes(random_.below(kBytesMax), '\0');
  const std::uint64_t start = random_.next();
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(start + i * i / 7);
  ++running_;
  base::spawn_detached(loop_, run(channel, std::move(node), std::move(bytes)));
}

void SimStreams::flood(client::NodeChannel& channel, std::string node) {
  constexpr base::Duration kHeldMax = std::chrono::seconds(30);
  ++running_;
  base::spawn_detached(loop_, hold(channel, std::move(node), up_to(random_, kHeldMax)));
}

base::Task<void> SimStreams::hold(client::NodeChannel& channel, std::string node,
                                  base::Duration time) {
  client::NodeRequest request;
  request.kind = client::NodeRequest::Kind::exec;
  request.namespace_name = "default";
  request.pod = "any";
  request.container = "flood";
  auto opening = channel.open(node, std::move(request));
  auto opened = co_await std::move(opening);
  if (opened) {
    (void)co_await base::sleep(loop_, time, {});
    (*opened)->close();
  }
  --running_;
}

void SimStreams::fail(std::string_view node, std::string_view what) {
  if (violation_.empty()) violation_ = base::concat("a stream to ", node, ' ', what);
}

// Whether it came to its end; false when it broke off.
base::Task<bool> SimStreams::compare(client::NodeStream& stream, std::string_view node,
                                     std::string_view sent) {
  std::string_view rest = sent;
  bool said_bye = false;
  for (;;) {
    auto reading = stream.read();
    auto frame = co_await std::move(reading);
    if (!frame) co_return false;
    if (!*frame) break;
    std::string_view data = (*frame)->data;
    if ((*frame)->channel == 3) {
      said_bye = data == "bye";
    } else if (!rest.starts_with(data)) {
      fail(node, base::concat("brings other bytes than were sent, at ", sent.size() - rest.size()));
      co_return false;
    } else {
      rest.remove_prefix(data.size());
    }
  }
  if (!rest.empty()) fail(node, base::concat("ends in order without its last ", rest.size()));
  if (!said_bye) fail(node, "ends in order without its last word");
  co_return true;
}

base::Task<void> SimStreams::run(client::NodeChannel& channel, std::string node, std::string sent) {
  client::NodeRequest request;
  request.kind = client::NodeRequest::Kind::exec;
  request.namespace_name = "default";
  request.pod = "any";
  request.container = "echo";
  auto opening = channel.open(node, std::move(request));
  auto opened = co_await std::move(opening);
  bool whole = false;
  if (opened) {
    base::OneShot<bool> written;
    base::spawn_detached(loop_, write_all(opened->get(), sent, written));
    auto comparing = compare(**opened, node, sent);
    whole = co_await std::move(comparing);
    (*opened)->close();
    auto future = written.future();
    (void)co_await future;
  }
  ++(whole ? whole_ : broken_);
  --running_;
}

}  // namespace skiff::sim
