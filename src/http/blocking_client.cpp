// The client for the work pool and the command line: a loop of its own for each request.
//
// Not cpp-httplib: its response parser is a recursive std::regex, so that a server's status line of
// 8 KB overflows the stack of a pool thread, and it percent-decodes header values, which damages
// the signed URLs of registries' redirects.
#include <skiff/base/strings.h>
#include <skiff/http/client.h>

#include "http/limits.h"

#include <optional>

namespace skiff::http {

namespace {

struct Url {
  bool tls = false;
  std::string host;
  std::uint16_t port = 0;
  std::string host_header;
  std::string target;
};

base::Result<Url> parse_url(std::string_view text) {
  auto malformed = [&] {
    return base::invalid_argument(base::concat("malformed URL ", base::quote(text)));
  };
  Url url;
  std::string_view rest = text;
  if (base::starts_with(rest, "https://")) {
    url.tls = true;
    rest.remove_prefix(8);
  } else if (base::starts_with(rest, "http://")) {
    rest.remove_prefix(7);
  } else {
    return malformed();
  }
  rest = rest.substr(0, rest.find('#'));
  auto path = rest.find_first_of("/?");
  std::string_view authority = rest.substr(0, path);
  std::string_view target = path == std::string_view::npos ? "" : rest.substr(path);
  url.target =
      target.empty() || target.front() == '?' ? base::concat("/", target) : std::string(target);
  url.host_header = authority;
  url.port = url.tls ? 443 : 80;
  // A colon behind the last bracket separates the port; the brackets of IPv6 go.
  auto bracket = authority.rfind(']');
  auto colon = authority.rfind(':');
  if (colon != std::string_view::npos && (bracket == std::string_view::npos || colon > bracket)) {
    auto port = base::parse_int(authority.substr(colon + 1));
    if (!port || *port < 1 || *port > 65535) return malformed();
    url.port = static_cast<std::uint16_t>(*port);
    authority = authority.substr(0, colon);
  }
  if (authority.size() > 2 && authority.front() == '[' && authority.back() == ']')
    authority = authority.substr(1, authority.size() - 2);
  if (authority.empty() || authority.find_first_of("@[] ") != std::string_view::npos)
    return malformed();
  url.host = authority;
  return url;
}

// Reads the whole answer. Each read gets the request's timeout.
base::Task<base::Result<ClientResponse>> exchange(loop::Loop& loop, AsyncClient& client,
                                                  ClientRequest request, BlockingRequest& options) {
  base::CancelSource stop;
  request.cancel = stop.token();
  auto timeout = request.timeout;
  auto opening = client.open(std::move(request));
  auto stream = co_await opening;
  if (!stream) co_return stream.status();
  ClientResponse response;
  response.status = (*stream)->status();
  response.headers = (*stream)->headers();
  if (options.on_head && !options.on_head(response.status, response.headers))
    co_return base::cancelled("the receiver of the answer stopped");
  bool to_sink = options.sink && response.status >= 200 && response.status < 300;
  for (;;) {
    base::TimerId timer = loop.start_timer(timeout, [stop] { stop.cancel(); });
    auto reading = (*stream)->read();
    auto piece = co_await reading;
    loop.cancel_timer(timer);
    if (stop.is_cancelled())
      co_return base::Status(base::Code::deadline_exceeded,
                             base::concat("no data within ", options.timeout_ms, " ms"));
    if (!piece) co_return piece.status();
    if (piece->empty()) co_return response;
    if (to_sink) {
      if (!options.sink(*piece)) co_return base::cancelled("the receiver of the body stopped");
    } else if (response.body.size() + piece->size() > options.body_bytes_max) {
      co_return base::Status(base::Code::too_large,
                             base::concat("the answer is over ", options.body_bytes_max, " bytes"));
    } else {
      response.body += *piece;
    }
  }
}

base::Task<void> run_exchange(loop::Loop* loop, AsyncClient* client, ClientRequest request,
                              BlockingRequest* options,
                              std::optional<base::Result<ClientResponse>>* result) {
  {
    auto exchanging = exchange(*loop, *client, std::move(request), *options);
    result->emplace(co_await exchanging);
  }
  loop->stop();
}

}  // namespace

base::Result<ClientResponse> send_blocking(BlockingRequest options) {
  SKIFF_ASSIGN_OR_RETURN(Url url, parse_url(options.url));
  ClientRequest request;
  request.method = options.method;
  request.host = url.host;
  request.port = url.port;
  request.host_header = url.host_header;
  request.target = url.target;
  request.headers = std::move(options.headers);
  request.headers.set("Connection", "close");
  request.body = std::move(options.body);
  request.timeout = std::chrono::milliseconds(options.timeout_ms);
  if (url.tls) {
    TlsClientOptions tls;
    tls.ca_pem = options.ca_pem;
    tls.certificate_pem = options.certificate_pem;
    tls.key_pem = options.key_pem;
    tls.insecure = options.insecure;
    tls.now = options.now;
    SKIFF_ASSIGN_OR_RETURN(request.tls, make_tls_client_context(tls));
  }
  SKIFF_ASSIGN_OR_RETURN(auto loop, loop::make_loop(""));
  auto client = make_async_client(*loop);
  std::optional<base::Result<ClientResponse>> result;
  base::spawn_detached(
      *loop, run_exchange(loop.get(), client.get(), std::move(request), &options, &result));
  loop->run();
  client.reset();
  SKIFF_ASSERT(result.has_value());
  return std::move(*result).with_context(base::concat(options.method, " ", options.url));
}

}  // namespace skiff::http
