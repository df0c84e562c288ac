#include "apiserver/selection.h"

#include <skiff/base/strings.h>
#include <skiff/codec/base64.h>

#include "apiserver/limits.h"

namespace skiff::apiserver {

using codec::Json;

namespace {

api::ApiError unknown_field(const api::ResourceInfo& resource, std::string_view field) {
  const bool has_own =
      api::is_selectable_field(resource.group, resource.resource, "status.phase") ||
      resource.resource == "events" || resource.resource == "nodes" ||
      resource.resource == "secrets";
  if (has_own) {
    return api::bad_request_error(base::concat("field label not supported: ", field));
  }
  return api::bad_request_error(
      base::concat(base::quote(field),
                   " is not a known field selector: only \"metadata.name\", "
                   "\"metadata.namespace\""));
}

struct Continue {
  watch::Revision revision = 0;
  std::string after;  // the last key that was sent
};
// The rest of a list whose snapshot is gone, as things are now.
constexpr auto kLatestRevision = static_cast<watch::Revision>(-1);

std::string encode_continue(const Continue& value) {
  Json token = Json::object({{"v", "meta.k8s.io/v1"},
                             {"rv", static_cast<long long>(value.revision)},
                             {"start", value.after}});
  return codec::base64url_encode(codec::write_json(token));
}

api::Outcome<Continue> decode_continue(std::string_view text, std::string_view prefix) {
  auto bad = [] { return api::bad_request_error("continue key is not valid"); };
  auto decoded = codec::base64url_decode(text);
  if (!decoded.is_ok()) return bad();
  auto token = codec::parse_json(*decoded);
  if (!token.is_ok() || !token->is_object()) return bad();
  const Json& tree = *token;
  Continue value;
  value.revision = static_cast<watch::Revision>(tree["rv"].as_int());
  value.after = tree["start"].as_string();
  if (value.revision == 0 || !base::starts_with(value.after, prefix)) return bad();
  return value;
}

api::ApiError too_large_revision(std::string_view asked, watch::Revision current) {
  api::ApiError error;
  error.code = 504;
  error.reason = api::Reason::timeout;
  error.message =
      base::concat("Timeout: Too large resource version: ", asked, ", current: ", current);
  error.causes.push_back({"ResourceVersionTooLarge", "Too large resource version", ""});
  error.retry_after_seconds = 1;
  return error;
}

api::ApiError invalid_list_option(std::string_view field, std::string_view reason,
                                  std::string_view detail) {
  api::ApiError error;
  error.code = 422;
  error.reason = api::Reason::invalid;
  error.group = "meta.k8s.io";
  error.kind = "ListOptions";
  error.message = base::concat("ListOptions.meta.k8s.io \"\" is invalid: ", field, ": ", detail);
  error.causes.push_back({std::string(reason), std::string(detail), std::string(field)});
  return error;
}

}  // namespace

api::Outcome<Selector> Selector::parse(const api::ResourceInfo& resource, std::string_view labels,
                                       std::string_view fields) {
  Selector selector;
  selector.resource_ = &resource;
  auto label_selector = api::LabelSelector::parse(labels);
  if (!label_selector.is_ok()) return api::bad_request_error(label_selector.status().message());
  auto field_selector = api::FieldSelector::parse(fields);
  if (!field_selector.is_ok()) return api::bad_request_error(field_selector.status().message());
  selector.labels_ = std::move(label_selector).value();
  selector.fields_ = std::move(field_selector).value();
  for (const auto& term : selector.fields_.terms()) {
    const bool common = term.field == "metadata.name" ||
                        (term.field == "metadata.namespace" && resource.namespaced);
    if (!common && !api::is_selectable_field(resource.group, resource.resource, term.field)) {
      return unknown_field(resource, term.field);
    }
    if (term.field == "metadata.name" && !term.negated) selector.only_name_ = term.value;
  }
  return selector;
}

bool Selector::matches(const api::StoredObject& object) const {
  auto text = object.text();
  if (!labels_.matches_everything() &&
      !labels_.matches(api::scan_string_map(text, {"metadata", "labels"}))) {
    return false;
  }
  if (fields_.empty()) return true;
  if (resource_->group == resource_->storage_group) return fields_.matches_text(text);
  auto converted = registry::convert_for_read(*resource_, object);
  return converted && fields_.matches(*converted);
}

ContinueSnapshots::~ContinueSnapshots() {
  if (timer_ != 0) timers_.cancel_timer(timer_);
}

void ContinueSnapshots::keep(const watch::Snapshot& snapshot) {
  std::lock_guard lock(mutex_);
  auto until = timers_.clock().monotonic() + kContinueLifetime;
  for (auto& kept : kept_) {
    if (kept.snapshot.revision() == snapshot.revision()) {
      kept.until = until;
      return;
    }
  }
  if (kept_.size() == kContinueSnapshotsMax) kept_.pop_front();
  kept_.push_back({snapshot, until});
  if (timer_ == 0) timer_ = timers_.start_timer(kContinueLifetime, [this] { drop_old(); });
}

void ContinueSnapshots::drop_old() {
  std::lock_guard lock(mutex_);
  auto now = timers_.clock().monotonic();
  std::erase_if(kept_, [&](const Kept& kept) { return kept.until <= now; });
  timer_ = 0;
  if (!kept_.empty()) {
    timer_ = timers_.start_timer(kContinueLifetime, [this] { drop_old(); });
  }
}

std::optional<watch::Snapshot> ContinueSnapshots::find(watch::Revision revision) const {
  std::lock_guard lock(mutex_);
  for (const auto& kept : kept_) {
    if (kept.snapshot.revision() == revision) return kept.snapshot;
  }
  return std::nullopt;
}

api::Outcome<watch::Revision> parse_revision(std::string_view text) {
  if (text.empty()) return watch::Revision{0};
  auto value = base::parse_int(text);
  if (!value || *value < 0) {
    return invalid_list_option(
        "resourceVersion", "FieldValueInvalid",
        base::concat("Invalid value: ", base::quote(text), ": strconv.ParseUint: parsing ",
                     base::quote(text), ": invalid syntax"));
  }
  return static_cast<watch::Revision>(*value);
}

api::Outcome<ListParameters> list_parameters(const http::Query& query) {
  ListParameters p;
  p.label_selector = query_value(query, "labelSelector");
  p.field_selector = query_value(query, "fieldSelector");
  p.resource_version = query_value(query, "resourceVersion");
  p.resource_version_match = query_value(query, "resourceVersionMatch");
  p.continue_token = query_value(query, "continue");
  if (auto limit = query_value(query, "limit"); !limit.empty()) {
    auto value = base::parse_int(limit);
    if (!value || *value < 0) {
      return api::bad_request_error(
          base::concat("strconv.ParseInt: parsing ", base::quote(limit), ": invalid syntax"));
    }
    p.limit = *value;
  }
  const auto& match = p.resource_version_match;
  if (!match.empty()) {
    if (!p.continue_token.empty()) {
      return invalid_list_option("resourceVersionMatch", "FieldValueForbidden",
                                 "Forbidden: resourceVersionMatch is forbidden when continue is "
                                 "provided");
    }
    if (p.resource_version.empty()) {
      return invalid_list_option("resourceVersionMatch", "FieldValueForbidden",
                                 "Forbidden: resourceVersionMatch is forbidden unless "
                                 "resourceVersion is provided");
    }
    if (match != "Exact" && match != "NotOlderThan") {
      return invalid_list_option("resourceVersionMatch", "FieldValueNotSupported",
                                 base::concat("Unsupported value: ", base::quote(match),
                                              ": supported values: \"Exact\", \"NotOlderThan\", "
                                              "\"\""));
    }
    if (match == "Exact" && p.resource_version == "0") {
      return invalid_list_option("resourceVersionMatch", "FieldValueForbidden",
                                 "Forbidden: resourceVersionMatch \"exact\" is forbidden for "
                                 "resourceVersion \"0\"");
    }
  }
  if (!p.continue_token.empty() && !p.resource_version.empty() && p.resource_version != "0") {
    return api::bad_request_error("specifying resource version is not allowed when using continue");
  }
  return p;
}

base::Task<api::Outcome<watch::Snapshot>> snapshot_at_least(Services& services,
                                                            std::string resource_version,
                                                            base::CancelToken cancel) {
  SKIFF_CO_TRY(auto revision, parse_revision(resource_version));
  auto& hub = services.registry->hub();
  auto current = hub.snapshot();
  if (revision <= current.revision()) co_return current;
  auto deadline = base::CancelSource::child_of(cancel);
  auto timer =
      services.options.timers->start_timer(kRevisionWaitMax, [deadline] { deadline.cancel(); });
  auto waiting = hub.at_least(revision, deadline.token());
  auto snapshot = co_await std::move(waiting);
  services.options.timers->cancel_timer(timer);
  if (!snapshot.is_ok()) co_return too_large_revision(resource_version, hub.snapshot().revision());
  co_return std::move(*snapshot);
}

namespace {

base::Task<api::Outcome<watch::Snapshot>> choose_snapshot(Services& services,
                                                          ListParameters parameters,
                                                          const Continue* resume,
                                                          base::CancelToken cancel) {
  auto current = services.registry->snapshot();
  if (resume != nullptr) {
    if (resume->revision == current.revision() || resume->revision == kLatestRevision)
      co_return current;
    auto kept = services.continues->find(resume->revision);
    if (kept) co_return *kept;
    co_return api::expired_error(
        "The provided continue parameter is too old to display a consistent list result. You can "
        "start a new list without the continue parameter, or use the continue token in this "
        "response to retrieve the remainder of the results. Continuing with the provided token "
        "results in an inconsistent list - objects that were created, modified, or deleted between "
        "the time the first chunk was returned and now may show up in the list.");
  }
  if (parameters.resource_version_match == "Exact") {
    SKIFF_CO_TRY(auto exact, parse_revision(parameters.resource_version));
    auto kept = services.continues->find(exact);
    if (kept) co_return *kept;
    if (exact < current.revision()) {
      co_return api::expired_error("The resourceVersion for the provided list is too old.");
    }
  }
  auto waiting = snapshot_at_least(services, parameters.resource_version, cancel);
  co_return co_await std::move(waiting);
}

}  // namespace

std::string continue_at_latest(std::string_view token) {
  auto resume = decode_continue(token, "");
  return resume.is_ok() ? encode_continue({kLatestRevision, resume.value().after}) : std::string();
}

base::Task<api::Outcome<Selected>> select_objects(Services& services, registry::Scope scope,
                                                  ListParameters parameters,
                                                  base::CancelToken cancel) {
  const auto& resource = *scope.resource;
  const std::string prefix = registry::prefix_of(scope);
  SKIFF_CO_TRY(auto selector,
               Selector::parse(resource, parameters.label_selector, parameters.field_selector));
  Continue resume;
  const bool resumes = !parameters.continue_token.empty();
  if (resumes) {
    SKIFF_CO_TRY(resume, decode_continue(parameters.continue_token, prefix));
  }
  auto choosing = choose_snapshot(services, parameters, resumes ? &resume : nullptr, cancel);
  SKIFF_CO_TRY(auto snapshot, co_await std::move(choosing));
  Selected selected;
  selected.revision = snapshot.revision();

  if (!selector.only_name().empty() && (!resource.namespaced || !scope.namespace_name.empty())) {
    scope.name = selector.only_name();
    if (auto entry = snapshot.get(registry::key_of(scope))) {
      api::StoredObject object(entry->value, entry->revision);
      if (selector.matches(object)) selected.items.push_back(std::move(object));
    }
    co_return selected;
  }
  const auto limit = static_cast<std::size_t>(parameters.limit);
  std::string after = resume.after;
  bool more = true;
  bool full = false;
  while (more && !full) {
    std::size_t seen = 0;
    more = false;
    std::string last;
    snapshot.scan(prefix, after, [&](const watch::Entry& entry) {
      if (limit != 0 && selected.items.size() == limit) {
        full = true;
        return false;
      }
      if (++seen > kScanSliceObjects) {
        more = true;
        return false;
      }
      last = entry.key;
      api::StoredObject object(entry.value, entry.revision);
      if (selector.matches(object)) selected.items.push_back(std::move(object));
      return true;
    });
    if (!last.empty()) after = last;
    if (more) co_await base::yield();
  }
  if (full) {
    selected.continue_token = encode_continue({selected.revision, after});
    services.continues->keep(snapshot);
    if (selector.matches_everything()) {
      std::int64_t remaining = 0;
      snapshot.scan(prefix, after, [&](const watch::Entry&) {
        ++remaining;
        return true;
      });
      selected.remaining = remaining;
    }
  }
  co_return selected;
}

}  // namespace skiff::apiserver
