// One stream that a master has asked for, from the node's side.
#pragma once

#include <skiff/client/node_protocol.h>
#include <skiff/http/http2.h>

#include <memory>
#include <string>

namespace skiff::client {

// What a carrier needs of its connection; outlives it.
struct CarrierContext {
  http::Http2Connection& connection;
  base::Executor& loop;
  NodeChannel* local;
  std::string node_name;
};

// Opens the stream at the node, its session at the master, and carries frames until one of the two
// ends or `cancel`. Loop-only.
base::Task<void> carry_stream(const CarrierContext& context, OpenStream open,
                              base::CancelToken cancel);

// A refusal of a session, with the message of the Status that the master answered.
base::Status readable_refusal(const base::Status& refusal);

}  // namespace skiff::client
