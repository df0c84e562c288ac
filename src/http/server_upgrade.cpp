// The part of a connection that begins and runs an upgraded protocol.
#include "http/limits.h"
#include "http/response_text.h"
#include "http/server_connection.h"

namespace skiff::http {

void ServerConnection::feed_upgraded() {}

void ServerConnection::answer_upgrade(Response) {
  send_refusal(501, "text/plain; charset=utf-8", "501 Not Implemented: upgrades");
}

}  // namespace skiff::http
