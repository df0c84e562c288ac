#include "client/uplink/plain_watches.h"

#include <skiff/api/object.h>
#include <skiff/client/resource_path.h>

#include "client/limits.h"
#include "client/uplink/answer.h"

#include <string_view>

namespace skiff::client {

namespace {

http::Http2Request request_of(const RemoteWatch& watch, base::CancelToken cancel) {
  http::Http2Request request;
  request.target = resource_path(watch.resource, watch.options.namespace_name, {}, {});
  add_query(request.target, "watch", "1");
  add_query(request.target, "allowWatchBookmarks", "true");
  add_query(request.target, "resourceVersion", std::to_string(watch.revision()));
  add_selectors(request.target, watch.options);
  request.headers.add("accept", "application/json");
  request.cancel = std::move(cancel);
  return request;
}

void end_with(RemoteWatch& watch, const base::Status& status) {
  if (!is_passing(status)) watch.end(status);
}

std::uint64_t event_revision(std::string_view line) {
  auto text = api::scan_string(line, {"object", "metadata", "resourceVersion"});
  return text ? revision_of(*text).value_or(0) : 0;
}

void take_line(RemoteWatch& watch, std::string line) {
  auto type = api::scan_string(line, {"type"}).value_or("");
  if (type == "ERROR") {
    end_with(watch, error_of_event(line));
    return;
  }
  const auto revision = event_revision(line);
  if (type == "BOOKMARK") {
    watch.move_to(revision);
    return;
  }
  SentEvent event;
  event.revision = revision;
  if (type == "MODIFIED") event.type = WatchEvent::Type::modified;
  if (type == "DELETED") event.type = WatchEvent::Type::removed;
  event.bytes = base::SharedBytes(line);
  watch.push(std::move(event));
}

// False when a line is longer than any object.
bool take_lines(RemoteWatch& watch, std::string& buffer, std::string_view piece) {
  while (!piece.empty()) {
    auto end = piece.find('\n');
    buffer.append(piece.substr(0, end));
    if (buffer.size() > kObjectBytesMax) return false;
    if (end == std::string_view::npos) return true;
    if (!buffer.empty()) take_line(watch, std::exchange(buffer, std::string()));
    piece.remove_prefix(end + 1);
  }
  return true;
}

base::Task<std::string> read_refusal(http::ResponseStream* stream) {
  std::string text;
  while (text.size() < kListHeadBytesMax) {
    auto reading = stream->read();
    auto piece = co_await reading;
    if (!piece || piece->empty()) break;
    text += *piece;
  }
  co_return text;
}

}  // namespace

void PlainWatches::add(std::shared_ptr<RemoteWatch> watch) {
  auto source = base::CancelSource::child_of(scope_.token());
  running_.insert_or_assign(watch->id, source);
  scope_.spawn(run(std::move(watch), source.token()));
}

void PlainWatches::remove(std::uint32_t id) {
  auto at = running_.find(id);
  if (at == running_.end()) return;
  auto source = at->second;
  running_.erase(at);
  source.cancel();
}

base::Task<void> PlainWatches::end() {
  scope_.cancel();
  auto joining = scope_.join();
  co_await joining;
}

base::Task<void> PlainWatches::run(std::shared_ptr<RemoteWatch> watch, base::CancelToken cancel) {
  while (!cancel.is_cancelled() && !watch->has_ended()) {
    auto following = follow(watch, cancel);
    co_await following;
    if (watch->has_ended()) break;
    (void)co_await base::sleep(loop_, kRewatchWait, cancel);
  }
}

base::Task<void> PlainWatches::follow(std::shared_ptr<RemoteWatch> watch,
                                      base::CancelToken cancel) {
  auto opening = connection_->open(request_of(*watch, cancel));
  auto opened = co_await opening;
  if (!opened) co_return;
  auto stream = std::move(*opened);
  if (!is_success(stream->status())) {
    auto reading = read_refusal(stream.get());
    auto text = co_await reading;
    auto error = error_of(stream->status(), text);
    // A revision that this master does not have: only a list tells the truth.
    if (error.code() == base::Code::deadline_exceeded) error = {base::Code::expired, text};
    end_with(*watch, error);
    co_return;
  }
  watch->accept();
  std::string buffer;
  while (!watch->has_ended()) {
    auto reading = stream->read();
    auto piece = co_await reading;
    if (!piece || piece->empty()) co_return;
    if (!take_lines(*watch, buffer, *piece)) co_return;
  }
}

}  // namespace skiff::client
