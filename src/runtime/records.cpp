#include "runtime/records.h"

#include <skiff/base/strings.h>
#include <skiff/codec/json.h>

#include "runtime/limits.h"

namespace skiff::runtime {
namespace {

using codec::Json;

base::Result<Json> parse_record(std::string_view text) {
  codec::JsonParseOptions options;
  options.limits.bytes_max = kRecordBytesMax;
  const auto json = codec::parse_json(text, options);
  if (!json.is_ok() || (*json)["version"].as_int() != 1)
    return base::Status(base::Code::data_loss, "record is damaged");
  return json;
}

}  // namespace

std::string write_pod_record(const PodRecord& record) {
  const PodOptions& options = record.options;
  Json sysctls = Json::array();
  for (const auto& [name, value] : options.sysctls)
    sysctls.push_back(base::concat(name, "=", value));
  return codec::write_json(
      Json::object({{"version", 1},
                    {"uid", options.uid},
                    {"namespace", options.namespace_name},
                    {"name", options.name},
                    {"hostname", options.hostname},
                    {"hostNetwork", options.host_network},
                    {"hostPID", options.host_pid},
                    {"hostIPC", options.host_ipc},
                    {"shareProcessNamespace", options.share_process_namespace},
                    {"cgroupParent", options.cgroup_parent},
                    {"cpuShares", static_cast<std::int64_t>(options.resources.cpu_shares)},
                    {"sysctls", std::move(sysctls)},
                    {"shim", record.shim.pid},
                    {"shimStart", static_cast<std::int64_t>(record.shim.start_ticks)},
                    {"init", record.init_pid},
                    {"created", record.created_at.unix_ns}}));
}

base::Result<PodRecord> parse_pod_record(std::string_view text) {
  SKIFF_ASSIGN_OR_RETURN(const auto json, parse_record(text));
  PodRecord record;
  PodOptions& options = record.options;
  options.uid = json["uid"].as_string();
  options.namespace_name = json["namespace"].as_string();
  options.name = json["name"].as_string();
  options.hostname = json["hostname"].as_string();
  options.host_network = json["hostNetwork"].as_bool();
  options.host_pid = json["hostPID"].as_bool();
  options.host_ipc = json["hostIPC"].as_bool();
  options.share_process_namespace = json["shareProcessNamespace"].as_bool();
  options.cgroup_parent = json["cgroupParent"].as_string();
  options.resources.cpu_shares = static_cast<std::uint64_t>(json["cpuShares"].as_int());
  for (const Json& item : json["sysctls"].items()) {
    auto setting = item.as_string();
    std::size_t equals = setting.find('=');
    if (equals != std::string_view::npos)
      options.sysctls.emplace_back(setting.substr(0, equals), setting.substr(equals + 1));
  }
  record.shim.pid = static_cast<int>(json["shim"].as_int());
  record.shim.start_ticks = static_cast<std::uint64_t>(json["shimStart"].as_int());
  record.init_pid = static_cast<int>(json["init"].as_int());
  record.created_at = {json["created"].as_int()};
  return record;
}

std::string write_container_record(const ContainerRecord& record) {
  return codec::write_json(Json::object({{"version", 1},
                                         {"id", record.id},
                                         {"pod", record.pod_uid},
                                         {"name", record.name},
                                         {"image", record.image_id},
                                         {"stopSignal", record.stop_signal},
                                         {"cgroup", record.cgroup_path},
                                         {"log", record.log_path},
                                         {"attempt", record.attempt},
                                         {"tty", record.tty},
                                         {"stdin", record.stdin_open},
                                         {"ownProcessNamespace", record.own_process_namespace},
                                         {"created", record.created_at.unix_ns}}));
}

base::Result<ContainerRecord> parse_container_record(std::string_view text) {
  SKIFF_ASSIGN_OR_RETURN(const auto json, parse_record(text));
  ContainerRecord record;
  record.id = json["id"].as_string();
  record.pod_uid = json["pod"].as_string();
  record.name = json["name"].as_string();
  record.image_id = json["image"].as_string();
  record.stop_signal = json["stopSignal"].as_string();
  record.cgroup_path = json["cgroup"].as_string();
  record.log_path = json["log"].as_string();
  record.attempt = static_cast<int>(json["attempt"].as_int());
  record.tty = json["tty"].as_bool();
  record.stdin_open = json["stdin"].as_bool();
  record.own_process_namespace = json["ownProcessNamespace"].as_bool(true);
  record.created_at = {json["created"].as_int()};
  return record;
}

std::string write_exit_record(const ExitRecord& record) {
  return base::concat("1 ", record.exit_code, " ", record.signal, " ", record.oom_killed ? 1 : 0,
                      " ", record.finished_at.unix_ns, record.is_lost ? " lost\n" : "\n");
}

base::Result<ExitRecord> parse_exit_record(std::string_view text) {
  auto fields = base::split(base::trim(text), ' ');
  if (fields.size() < 5 || fields[0] != "1")
    return base::Status(base::Code::data_loss, "exit record is damaged");
  std::int64_t numbers[4];
  for (std::size_t i = 0; i < 4; ++i) {
    auto number = base::parse_int(fields[i + 1]);
    if (!number) return base::Status(base::Code::data_loss, "exit record is damaged");
    numbers[i] = *number;
  }
  ExitRecord record;
  record.exit_code = static_cast<int>(numbers[0]);
  record.signal = static_cast<int>(numbers[1]);
  record.oom_killed = numbers[2] != 0;
  record.finished_at = {numbers[3]};
  record.is_lost = fields.size() > 5 && fields[5] == "lost";
  return record;
}

}  // namespace skiff::runtime
