#include <skiff/runtime/runtime.h>

#include "runtime/local_runtime.h"

#include <skiff/base/log.h>
#include <skiff/base/strings.h>
#include <skiff/loop/loop.h>
#include <skiff/sys/features.h>
#include <skiff/sys/files.h>

#include "runtime/limits.h"
#include "runtime/shim_binary.h"

namespace skiff::runtime {

using base::concat;

LocalRuntime::LocalRuntime(const RuntimeOptions& options, ImageService& images)
    : options_(options),
      images_(images),
      store_(options.data_dir),
      oci_(options.oci_runtime, concat(options.runtime_dir, "/runc")),
      cgroups_(sys::make_cgroups()),
      state_dir_(concat(options.data_dir, "/runtime")) {}

LocalRuntime::~LocalRuntime() = default;

base::Status LocalRuntime::open() {
  if (options_.runtime_dir.size() > kRuntimeDirBytesMax)
    return base::invalid_argument(concat("runtime folder ", options_.runtime_dir, " has over ",
                                         kRuntimeDirBytesMax, " characters"));
  if (sys::find_program(options_.oci_runtime).empty())
    return base::not_found(concat("OCI runtime ", options_.oci_runtime,
                                  " is not installed; install the package runc or crun"));
  SKIFF_RETURN_IF_ERROR(store_.open());
  SKIFF_RETURN_IF_ERROR(sys::make_folders(options_.runtime_dir, 0711));
  for (const auto& folder :
       {concat(options_.runtime_dir, "/pods"), concat(options_.runtime_dir, "/bundles"),
        concat(state_dir_, "/pods"), concat(state_dir_, "/containers")})
    SKIFF_RETURN_IF_ERROR(sys::make_folders(folder, 0700));
  SKIFF_ASSIGN_OR_RETURN(shim_path_, install_shim({options_.runtime_dir, state_dir_}));
  for (int bit = 0; bit < 64; ++bit)
    if (bit <= 40 && sys::has_capability(bit)) available_capabilities_ |= CapabilitySet{1} << bit;
  oom_score_adj_min_ = sys::clamp_oom_score_adj(-1000);
  if (cgroups_->mode() == sys::CgroupMode::none)
    base::log_warning("this host has no control groups; limits do not hold", {});
  watcher_ = std::make_unique<ExitWatcher>(
      [this](const std::string& uid, const std::string& id) { on_exit(uid, id); });
  return {};
}

void LocalRuntime::set_exit_callback(ExitCallback callback) {
  std::lock_guard lock(mutex_);
  exit_callback_ = std::move(callback);
}

std::string LocalRuntime::pod_folder(const std::string& uid) const {
  return concat(options_.runtime_dir, "/pods/", uid);
}
std::string LocalRuntime::pod_record_path(const std::string& uid) const {
  return concat(state_dir_, "/pods/", uid, ".json");
}
std::string LocalRuntime::container_folder(const std::string& id) const {
  return concat(state_dir_, "/containers/", id);
}
std::string LocalRuntime::bundle_folder(const std::string& id) const {
  return concat(options_.runtime_dir, "/bundles/", id);
}
std::string LocalRuntime::console_path() {
  return concat(options_.runtime_dir, "/tty-", counter_.fetch_add(1));
}

bool LocalRuntime::load_exit(const std::string& id) {
  auto text = sys::read_file(container_folder(id) + "/exit", kRecordBytesMax);
  if (!text.is_ok()) return false;
  auto record = parse_exit_record(*text);
  if (!record.is_ok()) {
    base::log_warning("exit record is damaged", {{"container", id}});
    return false;
  }
  std::lock_guard lock(mutex_);
  auto found = containers_.find(id);
  if (found != containers_.end()) found->second.exit = *record;
  return true;
}

// The end that nobody saw; the record is written here in the shim's place.
void LocalRuntime::note_lost(const std::string& id) {
  if (load_exit(id)) return;
  ExitRecord record;
  record.exit_code = 255;
  record.finished_at = loop::real_clock().now();
  record.is_lost = true;
  auto written =
      sys::write_file_atomic(container_folder(id) + "/exit", write_exit_record(record), 0600);
  if (!written.is_ok())
    base::log_warning("exit record cannot be written", {{"container", id}, {"error", written}});
  std::lock_guard lock(mutex_);
  auto found = containers_.find(id);
  if (found != containers_.end()) found->second.exit = record;
}

void LocalRuntime::note_shim_end(const std::string& pod_uid) {
  std::vector<Container> lost;
  {
    std::lock_guard lock(mutex_);
    for (const auto& [id, container] : containers_)
      if (container.record.pod_uid == pod_uid && !container.exit) lost.push_back(container);
  }
  for (const auto& container : lost) {
    auto killed = sys::kill_cgroup(*cgroups_, container.record.cgroup_path, kKillMs);
    if (!killed.is_ok())
      base::log_warning("container without a supervisor does not end",
                        {{"container", container.record.id}, {"error", killed}});
    note_lost(container.record.id);
  }
}

void LocalRuntime::on_exit(const std::string& pod_uid, const std::string& id) {
  if (id.empty()) {
    base::log_warning("the supervisor of a pod has ended", {{"pod", pod_uid}});
    note_shim_end(pod_uid);
  } else if (!load_exit(id)) {
    return;
  }
  ExitCallback callback;
  {
    std::lock_guard lock(mutex_);
    callback = exit_callback_;
  }
  if (callback) callback(pod_uid, id);
}

base::Result<std::unique_ptr<Runtime>> make_runtime(const RuntimeOptions& options,
                                                    ImageService& images) {
  auto runtime = std::make_unique<LocalRuntime>(options, images);
  SKIFF_RETURN_IF_ERROR(runtime->open());
  return std::unique_ptr<Runtime>(std::move(runtime));
}

}  // namespace skiff::runtime
