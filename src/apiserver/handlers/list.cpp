#include "apiserver/encode.h"
#include "apiserver/handlers/handlers.h"
#include "apiserver/limits.h"
#include "apiserver/selection.h"

namespace skiff::apiserver {

namespace {

// A long list on its way out: pieces are made when the connection wants them.
struct ListStream {
  ObjectEncoder encoder;
  Selected selected;
  base::Executor& workers;
};

// The next piece: what the store has is copied into it once.
std::vector<base::SharedBytes> next_piece(const ListStream& list, std::size_t& next, bool& done) {
  const auto& selected = list.selected;
  std::string text;
  text.reserve(kListPieceBytes + kListPieceBytes / 8);
  if (next == 0)
    text += list.encoder.list_head(selected.revision, selected.continue_token, selected.remaining);
  while (next < selected.items.size() && text.size() < kListPieceBytes) {
    if (next != 0) text += ',';
    list.encoder.append_item(selected.items[next], text);
    ++next;
  }
  done = next == selected.items.size();
  if (done) text += list.encoder.list_tail();
  std::vector<base::SharedBytes> pieces;
  pieces.push_back(base::SharedBytes::adopt(std::move(text)));
  return pieces;
}

base::Task<void> send_list(std::shared_ptr<ListStream> list, http::BodyWriter& writer) {
  base::Executor& home = *base::Executor::current();
  std::size_t next = 0;
  bool done = false;
  while (!done) {
    co_await base::switch_to(list->workers);
    auto pieces = next_piece(*list, next, done);
    co_await base::switch_to(home);
    auto writing = writer.write(std::move(pieces));
    auto status = co_await std::move(writing);
    if (!status.is_ok()) co_return;
  }
}

std::size_t stored_bytes(const Selected& selected) {
  std::size_t bytes = 0;
  for (const auto& item : selected.items) bytes += item.stored().size();
  return bytes;
}

// A list that cannot go on as it was tells how to go on all the same.
ResponseOutcome expired_list(const api::ApiError& error, const std::string& token) {
  if (error.reason != api::Reason::expired || token.empty()) return error;
  codec::Json status = error.to_json();
  status["metadata"].set("continue", continue_at_latest(token));
  return json_response(error.code, Form{}, status);
}

}  // namespace

base::Task<ResponseOutcome> handle_list(RequestContext& context) {
  SKIFF_CO_TRY(auto form, negotiate(context, true));
  SKIFF_CO_TRY(auto include, include_object_of(context));
  SKIFF_CO_TRY(auto parameters, list_parameters(context.query));
  auto scope = context.scope();
  scope.name.clear();
  const std::string token = parameters.continue_token;
  auto selecting = select_objects(context.services, std::move(scope), std::move(parameters),
                                  context.request.cancel);
  auto selection = co_await std::move(selecting);
  if (!selection.is_ok()) co_return expired_list(selection.error(), token);
  Selected selected = std::move(selection).value();
  ObjectEncoder encoder(*context.info.type, form, static_cast<IncludeObject>(include),
                        context.services.clock());
  const bool whole = form.yaml || form.pretty || stored_bytes(selected) <= kListWholeBytesMax;
  if (whole) {
    std::string text =
        encoder.list_head(selected.revision, selected.continue_token, selected.remaining);
    bool first = true;
    for (const auto& item : selected.items) {
      if (!first) text += ',';
      first = false;
      encoder.append_item(item, text);
    }
    text += encoder.list_tail();
    co_return text_response(200, form, std::move(text));
  }
  http::Response response;
  response.headers.set("Cache-Control", "no-cache, private");
  response.headers.set("Content-Type", "application/json");
  auto list = std::make_shared<ListStream>(
      ListStream{std::move(encoder), std::move(selected), *context.services.options.workers});
  response.stream = [list](http::BodyWriter& writer) { return send_list(list, writer); };
  co_return response;
}

}  // namespace skiff::apiserver
