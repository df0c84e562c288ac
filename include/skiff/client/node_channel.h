// The only way from the API server to a node: framed two-way streams.
#pragma once

#include <skiff/base/async.h>
#include <skiff/base/result.h>
#include <skiff/codec/json.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

namespace skiff::client {

// Channels of exec and attach: 0 stdin, 1 stdout, 2 stderr, 3 error (a v1 Status as JSON, last),
// 4 resize ({"Width":…,"Height":…}). Logs: 1. Port-forward: 2n data, 2n+1 error of the n-th
// connection, as in portforward.k8s.io. Proxy and node: 0 carries the request's body and ends; the
// first frame of 1 is a ProxyHead as JSON, the others the body until `end`. A stream that ends
// without it has broken off.
struct NodeFrame {
  std::uint32_t channel = 0;
  std::string data;
  bool end = false;  // nothing more follows on this channel from this side
};

// Thread-compatible; the two directions may be used by two tasks of one executor. Back-pressure:
// write() returns when the frame is in a bounded queue.
class NodeStream {
 public:
  virtual ~NodeStream() = default;
  // nullopt at the end of the stream.
  virtual base::Task<base::Result<std::optional<NodeFrame>>> read() = 0;
  virtual base::Task<base::Status> write(NodeFrame frame) = 0;
  // Ends both directions; pending calls return.
  virtual void close() = 0;
};

struct NodeRequest {
  // `node` is a request to the node itself: /healthz, /pods, /stats/summary, /metrics/resource.
  enum class Kind : unsigned char { logs, exec, attach, port_forward, node, proxy };
  Kind kind = Kind::logs;
  std::string namespace_name, pod, pod_uid, container;
  // The subresource's options object as JSON: PodLogOptions, PodExecOptions, PodAttachOptions,
  // PodPortForwardOptions ({"ports":[…]}), or for proxy
  // {"method","path","headers":[[name,value],…],"port","scheme"}; port and scheme say nothing to a
  // node. ProxyHead:
  // {"status","headers":[[name,value],…]}, or {"error"} when there is no answer.
  codec::Json options;
  base::CancelToken cancel;  // of the opening
};

// Thread-safe.
class NodeChannel {
 public:
  virtual ~NodeChannel() = default;
  // Errors before the first frame: not_found and invalid_argument carry the sentence that kubectl
  // prints (`container "x" in pod "y" is waiting to start: ContainerCreating` is invalid_argument:
  // 400); unavailable when the node is away.
  virtual base::Task<base::Result<std::unique_ptr<NodeStream>>> open(std::string node,
                                                                     NodeRequest request) = 0;
};

}  // namespace skiff::client
