// A part's way to the API server: it can be cut, refuse, lose answers and watches, and it checks
// that every watch shows each change once and in order, and to a node its own pods only.
#pragma once

#include <skiff/base/clock.h>
#include <skiff/client/client.h>

#include <map>
#include <memory>
#include <set>
#include <string>

#include "sim/faults.h"
#include "sim/sim_store.h"

namespace skiff::sim {

// What all clients of one cluster share. Thread-compatible.
struct Wire {
  base::Random& random;
  const Faults& faults;
  SimStore& store;
  std::size_t in_use = 0;  // calls and watches that are inside the server
  std::string violation;   // the first that a checker found
  std::uint64_t calls = 0, lost = 0, watched = 0;
};

class SimClient final : public client::Client {
 public:
  explicit SimClient(Wire& wire) : wire_(wire) {}

  // The server's client; null while there is no server.
  void connect(std::unique_ptr<client::Client> inner);
  // Another's, until disconnect().
  void connect(client::Client& inner);
  // Ends every watch; `code` is what their readers get.
  void lose_watches(base::Code code);
  // New calls are refused; those inside the server still come back.
  void disconnect();
  void set_cut(bool cut);
  // The pods that a node has been shown since it was connected, by key.
  using Pods = std::map<std::string, api::StoredObject>;
  const Pods& shown_pods() const { return shown_pods_; }
  // It has listed them.
  bool has_shown_pods() const { return has_shown_pods_; }

  base::Task<ObjectResult> get(client::Resource resource, std::string namespace_name,
                               std::string name) override;
  base::Task<base::Result<client::ObjectList>> list(client::Resource resource,
                                                    client::ListOptions options) override;
  base::Task<base::Result<std::unique_ptr<client::WatchStream>>> watch(
      client::Resource resource, client::ListOptions options, std::uint64_t revision,
      base::CancelToken cancel) override;
  base::Task<ObjectResult> create(client::Resource resource, std::string namespace_name,
                                  codec::Json object, std::string subresource,
                                  std::string name) override;
  base::Task<ObjectResult> update(client::Resource resource, codec::Json object,
                                  std::string subresource) override;
  base::Task<ObjectResult> patch(client::Resource resource, std::string namespace_name,
                                 std::string name, client::PatchType type, codec::Json patch,
                                 std::string subresource) override;
  base::Task<base::Status> remove(client::Resource resource, std::string namespace_name,
                                  std::string name, client::DeleteOptions options) override;

 private:
  class Stream;
  // Not ok when the request does not reach the server.
  base::Status admit();
  template <class T>
  base::Task<T> carry(base::Task<T> call);
  void show_pods(const std::string& node, const client::ObjectList& list);
  void show_pod(const std::string& node, const client::WatchEvent& event);
  void check_node_of(const std::string& node, const api::StoredObject& pod);

  Wire& wire_;
  std::unique_ptr<client::Client> owned_;
  client::Client* inner_ = nullptr;
  bool cut_ = false, down_ = true;
  std::set<Stream*> streams_;
  Pods shown_pods_;
  bool has_shown_pods_ = false;
};

}  // namespace skiff::sim
