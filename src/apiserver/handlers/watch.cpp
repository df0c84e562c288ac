#include <skiff/base/strings.h>

#include "apiserver/encode.h"
#include "apiserver/handlers/handlers.h"
#include "apiserver/limits.h"
#include "apiserver/selection.h"
#include "apiserver/watch_filter.h"

namespace skiff::apiserver {

namespace {

// Lives as long as its stream.
struct WatchState {
  Services& services;
  const api::ResourceInfo& resource;
  WatchFilter filter;
  ObjectEncoder encoder;
  bool bookmarks = false;
  bool mark_initial = false;               // a bookmark says where the initial events end
  std::optional<watch::Snapshot> initial;  // only until it is sent: it pins memory
  std::unique_ptr<watch::Subscription> subscription;
  std::optional<api::ApiError> refusal;  // sent as the only event
  base::Duration timeout;
  std::string prefix;
  watch::Revision sent = 0;
};

std::string bookmark_text(const WatchState& state, watch::Revision revision, bool initial_end) {
  const auto& r = state.resource;
  std::string version =
      r.group.empty() ? std::string(r.version) : base::concat(r.group, "/", r.version);
  std::string metadata = base::concat("{\"resourceVersion\":\"", revision, "\"");
  if (initial_end) metadata += ",\"annotations\":{\"k8s.io/initial-events-end\":\"true\"}";
  metadata += ",\"creationTimestamp\":null}";
  const Form& form = state.encoder.form();
  if (form.shape == Form::Shape::table) {
    return base::concat(
        "{\"type\":\"BOOKMARK\",\"object\":{\"kind\":\"Table\",\"apiVersion\":"
        "\"meta.k8s.io/",
        form.meta_version, "\",\"metadata\":{\"resourceVersion\":\"", revision,
        "\"},\"columnDefinitions\":[],\"rows\":[{\"cells\":[],\"object\":{\"kind\":"
        "\"PartialObjectMetadata\",\"apiVersion\":\"meta.k8s.io/",
        form.meta_version, "\",\"metadata\":", metadata, "}}]}}\n");
  }
  if (form.shape != Form::Shape::object) {
    return base::concat(
        "{\"type\":\"BOOKMARK\",\"object\":{\"kind\":\"PartialObjectMetadata\","
        "\"apiVersion\":\"meta.k8s.io/",
        form.meta_version, "\",\"metadata\":", metadata, "}}\n");
  }
  return base::concat("{\"type\":\"BOOKMARK\",\"object\":{\"kind\":\"", r.kind,
                      "\",\"apiVersion\":\"", version, "\",\"metadata\":", metadata, "}}\n");
}

std::string error_text(const api::ApiError& error) {
  return base::concat("{\"type\":\"ERROR\",\"object\":", codec::write_json(error.to_json()), "}\n");
}

std::string event_text(const WatchState& state, std::string_view type,
                       const api::StoredObject& object) {
  std::string text = base::concat("{\"type\":\"", type, "\",\"object\":");
  state.encoder.append_alone(object, text);
  text += "}\n";
  return text;
}

base::Task<bool> write_text(http::BodyWriter& writer, std::string text) {
  std::vector<base::SharedBytes> pieces;
  pieces.emplace_back(std::string_view(text));
  auto writing = writer.write(std::move(pieces));
  auto status = co_await std::move(writing);
  co_return status.is_ok();
}

// False when the client is gone.
base::Task<bool> send_initial(WatchState& state, http::BodyWriter& writer) {
  std::string after;
  bool more = true;
  while (more) {
    more = false;
    std::string text;
    state.initial->scan(state.prefix, after, [&](const watch::Entry& entry) {
      after = entry.key;
      api::StoredObject object(entry.value, entry.revision);
      if (state.filter.matches(object)) text += event_text(state, "ADDED", object);
      more = text.size() >= kListPieceBytes;
      return !more;
    });
    if (text.empty()) continue;
    auto writing = write_text(writer, std::move(text));
    bool alive = co_await std::move(writing);
    if (!alive) co_return false;
  }
  if (!state.mark_initial) co_return true;
  auto text = bookmark_text(state, state.initial->revision(), true);
  auto writing = write_text(writer, std::move(text));
  co_return co_await std::move(writing);
}

std::vector<base::SharedBytes> encode_changes(WatchState& state,
                                              const watch::Subscription::Batch& batch) {
  std::vector<base::SharedBytes> pieces;
  for (const auto& change : batch.changes) {
    auto event = state.filter.look_at(*change);
    if (!event) continue;
    if (state.encoder.is_plain()) {
      pieces.push_back(state.services.encodings->get(change, event->type, event->object));
    } else {
      pieces.emplace_back(std::string_view(event_text(state, event->type, event->object)));
    }
  }
  return pieces;
}

base::Task<void> send_changes(WatchState& state, http::BodyWriter& writer,
                              base::CancelToken cancel) {
  const auto& clock = state.services.clock();
  auto last_sent = clock.monotonic();
  for (;;) {
    auto waiting = state.subscription->next(kWatchBatchMax, cancel);
    auto batch = co_await std::move(waiting);
    if (!batch.is_ok()) {
      if (batch.code() != base::Code::expired) co_return;
      auto text = error_text(
          api::expired_error(base::concat("too old resource version: ", state.sent, " (",
                                          state.services.registry->hub().oldest(), ")")));
      auto writing = write_text(writer, std::move(text));
      (void)co_await std::move(writing);
      co_return;
    }
    auto pieces = encode_changes(state, *batch);
    if (batch->upto != 0) state.sent = batch->upto;
    const auto now = clock.monotonic();
    if (pieces.empty()) {
      if (!state.bookmarks || now - last_sent < kBookmarkIntervalMin) continue;
      auto text = bookmark_text(state, state.sent, false);
      pieces.emplace_back(std::string_view(text));
    }
    last_sent = now;
    auto writing = writer.write(std::move(pieces));
    auto status = co_await std::move(writing);
    if (!status.is_ok()) co_return;
  }
}

base::Task<void> run_watch(std::shared_ptr<WatchState> state, http::BodyWriter& writer) {
  if (state->refusal) {
    auto writing = write_text(writer, error_text(*state->refusal));
    (void)co_await std::move(writing);
    co_return;
  }
  if (state->initial) {
    auto sending = send_initial(*state, writer);
    bool alive = co_await std::move(sending);
    state->initial.reset();
    if (!alive) co_return;
  }
  // Only the subscription and the position are needed from here on.
  auto end = base::CancelSource::child_of(writer.cancel());
  auto& timers = *state->services.options.timers;
  auto timer = timers.start_timer(state->timeout, [end] { end.cancel(); });
  auto sending = send_changes(*state, writer, end.token());
  co_await std::move(sending);
  timers.cancel_timer(timer);
  if (state->bookmarks && end.is_cancelled() && !writer.cancel().is_cancelled()) {
    auto text = bookmark_text(*state, state->sent, false);
    auto writing = write_text(writer, std::move(text));
    (void)co_await std::move(writing);
  }
}

base::Duration watch_timeout(const RequestContext& context) {
  auto seconds = base::parse_int(context.parameter("timeoutSeconds"));
  if (seconds && *seconds > 0) {
    return std::min<base::Duration>(std::chrono::seconds(std::min<std::int64_t>(*seconds, 86400)),
                                    std::chrono::hours(24));
  }
  auto spread = (kWatchTimeoutMax - kWatchTimeoutMin).count();
  return kWatchTimeoutMin +
         base::Duration(static_cast<std::int64_t>(
             context.services.options.random->below(static_cast<std::uint64_t>(spread))));
}

api::Outcome<> check_initial_events(const RequestContext& context, bool wanted) {
  auto match = context.parameter("resourceVersionMatch");
  auto refuse = [](std::string field, std::string detail) {
    api::ApiError error;
    error.code = 422;
    error.reason = api::Reason::invalid;
    error.group = "meta.k8s.io";
    error.kind = "ListOptions";
    error.message = base::concat("ListOptions.meta.k8s.io \"\" is invalid: ", field, ": ", detail);
    error.causes.push_back({"FieldValueForbidden", std::move(detail), std::move(field)});
    return error;
  };
  if (wanted && match != "NotOlderThan") {
    return refuse("resourceVersionMatch",
                  "Forbidden: sendInitialEvents requires setting resourceVersionMatch to "
                  "NotOlderThan");
  }
  if (!wanted && !match.empty() && !query_has(context.query, "sendInitialEvents")) {
    return refuse("resourceVersionMatch",
                  "Forbidden: resourceVersionMatch is forbidden for watch unless "
                  "sendInitialEvents is provided");
  }
  return api::Done{};
}

}  // namespace

base::Task<ResponseOutcome> handle_watch(RequestContext& context) {
  SKIFF_CO_TRY(auto form, negotiate(context, true));
  SKIFF_CO_TRY(auto include, include_object_of(context));
  const auto& resource = *context.info.type;
  SKIFF_CO_TRY(auto filter, WatchFilter::make(resource, context.parameter("labelSelector"),
                                              context.parameter("fieldSelector")));
  const bool wants_initial = query_bool(context.query, "sendInitialEvents");
  SKIFF_CO_CHECK(check_initial_events(context, wants_initial));
  SKIFF_CO_TRY(auto revision, parse_revision(context.parameter("resourceVersion")));
  const bool from_now = revision == 0 && !query_has(context.query, "sendInitialEvents");
  auto waiting = snapshot_at_least(
      context.services, wants_initial ? std::string(context.parameter("resourceVersion")) : "",
      context.request.cancel);
  SKIFF_CO_TRY(auto snapshot, co_await std::move(waiting));

  auto scope = context.scope();
  scope.name.clear();
  form.pretty = false;
  form.yaml = false;
  ObjectEncoder encoder(resource, form, static_cast<IncludeObject>(include),
                        context.services.clock());
  const bool initial = wants_initial || from_now;
  const bool bookmarks = query_bool(context.query, "allowWatchBookmarks");
  if (initial || revision == 0) revision = snapshot.revision();
  auto state = std::shared_ptr<WatchState>(
      new WatchState{context.services, resource, std::move(filter), std::move(encoder), bookmarks,
                     wants_initial && bookmarks, std::nullopt, nullptr, std::nullopt,
                     watch_timeout(context), registry::prefix_of(scope), revision});
  if (initial) state->initial = std::move(snapshot);
  auto subscription = context.services.registry->hub().subscribe(state->prefix, revision);
  if (subscription.is_ok()) {
    state->subscription = std::move(*subscription);
  } else if (subscription.code() == base::Code::expired) {
    state->refusal =
        api::expired_error(base::concat("too old resource version: ", revision, " (",
                                        context.services.registry->hub().oldest(), ")"));
  } else {
    co_return api::internal_api_error(subscription.status().message());
  }
  http::Response response;
  response.headers.set("Cache-Control", "no-cache, private");
  response.headers.set("Content-Type", "application/json");
  response.stream = [state](http::BodyWriter& writer) { return run_watch(state, writer); };
  co_return response;
}

}  // namespace skiff::apiserver
