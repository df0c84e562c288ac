// A Runtime with real runc, folders and a cgroup parent of its own, and an image of busybox.
#pragma once

#include <skiff/runtime/image.h>
#include <skiff/runtime/runtime.h>
#include <skiff/sys/cgroups.h>

#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "image_fixtures.h"

namespace skiff::runtime_test {

// Root, runc, cgroups and busybox-static are there; else the tests are skipped.
bool can_run_containers();

class RuntimeFixture {
 public:
  RuntimeFixture();
  ~RuntimeFixture();

  // A second Runtime on the same folders, as after a restart of skiff.
  void restart();
  runtime::PodOptions pod_options(const std::string& uid) const;
  runtime::ContainerOptions container_options(const std::string& id, const std::string& pod_uid,
                                              const std::string& script) const;
  runtime::PodSandbox create_pod(const std::string& uid);
  runtime::ContainerStatus run(const runtime::ContainerOptions& options);
  // Waits for the exit callback.
  runtime::ContainerStatus wait_exit(const std::string& id);
  void wait_shim_end(const std::string& uid);
  std::string log_of(const std::string& id) const;  // messages only, joined by line breaks
  std::string raw_log_of(const std::string& id) const;
  // Waits until the log holds the text; false after ten seconds.
  bool wait_log(const std::string& id, const std::string& text) const;

  TemporaryFolder folder;
  std::string image_id;
  std::string cgroup_parent;
  std::unique_ptr<runtime::ImageService> images;
  std::unique_ptr<runtime::Runtime> runtime;

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::pair<std::string, std::string>> exits_;
};

// Reads until the end or the text is there.
std::string read_until(int fd, const std::string& text);

}  // namespace skiff::runtime_test
