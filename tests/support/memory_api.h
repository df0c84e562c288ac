// A small API server in memory behind client::Client: enough of the rules (versions, uids,
// finalizers, graceful pod deletion, status apart from spec) for tests of informers and
// controllers.
#pragma once

#include <skiff/base/async.h>
#include <skiff/base/clock.h>
#include <skiff/base/random.h>
#include <skiff/client/client.h>

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace skiff::test {

// Thread-compatible.
class MemoryApi final : public client::Client {
 public:
  explicit MemoryApi(base::Timers& timers);
  ~MemoryApi() override;

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

  // What tests look at and change directly. `key` is "namespace/name" or "name".
  codec::Json object(client::Resource resource, const std::string& key) const;  // null: absent
  std::vector<codec::Json> objects(client::Resource resource) const;
  void put(client::Resource resource, codec::Json object);
  void erase(client::Resource resource, const std::string& key);
  // Every open watch ends with this code; watches from before now are expired if it is expired.
  void end_watches(base::Code code);
  // The next calls (of any kind but watch) fail with the status that the function returns.
  std::function<base::Status(std::string_view verb, client::Resource resource,
                             std::string_view name)>
      fault;
  // How long the answer to a delete is on its way when finalizers or grace keep the object.
  base::Duration delete_answer_delay{0};
  // Answers kinds that are questions; null JSON for all others.
  std::function<codec::Json(client::Resource resource, const codec::Json& question)> answer;
  base::Duration retry_wait_max() const override { return retry_max; }
  base::Duration retry_max = std::chrono::seconds(30);
  std::size_t lists = 0, watches = 0, writes = 0;

 private:
  class Stream;
  struct Entry {
    codec::Json object;
    std::uint64_t revision = 0;
  };
  using Objects = std::map<std::string, Entry>;
  struct Logged {
    std::string resource;
    client::WatchEvent event;
  };
  base::Status check(std::string_view verb, client::Resource resource, std::string_view name);
  Objects& of(client::Resource resource) { return objects_[std::string(resource.resource)]; }
  const codec::Json& store(client::Resource resource, const std::string& key, codec::Json object);
  void drop(client::Resource resource, const std::string& key);
  void publish(client::Resource resource, client::WatchEvent::Type type, const codec::Json& object,
               std::uint64_t revision);
  ObjectResult write_back(client::Resource resource, const std::string& key, codec::Json object,
                          const std::string& subresource);

  base::Timers& timers_;
  std::unique_ptr<base::Random> random_;
  std::map<std::string, Objects> objects_;
  std::vector<Logged> log_;
  std::uint64_t log_start_ = 0;  // revisions up to here cannot be resumed from
  std::uint64_t revision_ = 0;
  std::set<Stream*> streams_;
};

}  // namespace skiff::test
