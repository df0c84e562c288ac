#include "runtime/oci/user.h"

#include <skiff/base/strings.h>

#include <algorithm>
#include <optional>

namespace skiff::runtime {
namespace {

using base::concat;
using base::invalid_argument;

struct PasswdEntry {
  std::string name;
  std::uint32_t uid = 0, gid = 0;
};

std::optional<std::uint32_t> parse_id(std::string_view text) {
  auto value = base::parse_int(text);
  if (!value || *value < 0 || *value > 0x7fffffff) return std::nullopt;
  return static_cast<std::uint32_t>(*value);
}

template <class Fits>
std::optional<PasswdEntry> find_passwd(std::string_view passwd, Fits fits) {
  for (auto line : base::split(passwd, '\n')) {
    auto fields = base::split(line, ':');
    if (fields.size() < 4) continue;
    auto uid = parse_id(fields[2]), gid = parse_id(fields[3]);
    if (!uid || !gid) continue;
    PasswdEntry entry{std::string(fields[0]), *uid, *gid};
    if (fits(entry)) return entry;
  }
  return std::nullopt;
}

std::optional<std::uint32_t> find_group(std::string_view group, std::string_view name) {
  for (auto line : base::split(group, '\n')) {
    auto fields = base::split(line, ':');
    if (fields.size() >= 3 && fields[0] == name) return parse_id(fields[2]);
  }
  return std::nullopt;
}

void add_memberships(std::string_view group, const std::string& user, ResolvedUser& out) {
  for (auto line : base::split(group, '\n')) {
    auto fields = base::split(line, ':');
    if (fields.size() < 4) continue;
    auto members = base::split(fields[3], ',');
    auto gid = parse_id(fields[2]);
    if (gid && std::find(members.begin(), members.end(), user) != members.end())
      out.additional_gids.push_back(*gid);
  }
}

base::Status check_non_root(const ContainerOptions& options, std::string_view image_user) {
  if (!options.run_as_non_root) return {};
  if (options.run_as_user) {
    if (*options.run_as_user != 0) return {};
    return invalid_argument("container's runAsUser breaks non-root policy");
  }
  if (image_user.empty() || image_user == "0")
    return invalid_argument("container has runAsNonRoot and image will run as root");
  auto uid = parse_id(image_user);
  if (!uid)
    return invalid_argument(concat("container has runAsNonRoot and image has non-numeric user (",
                                   image_user, "), cannot verify user is non-root"));
  if (*uid == 0) return invalid_argument("container has runAsNonRoot and image will run as root");
  return {};
}

}  // namespace

base::Result<ResolvedUser> resolve_user(const ContainerOptions& options,
                                        const std::string& image_user, std::string_view passwd,
                                        std::string_view group) {
  std::string_view user = image_user, group_name;
  if (std::size_t colon = user.find(':'); colon != std::string_view::npos) {
    group_name = user.substr(colon + 1);
    user = user.substr(0, colon);
  }
  SKIFF_RETURN_IF_ERROR(check_non_root(options, user));
  ResolvedUser out;
  std::optional<PasswdEntry> entry;
  std::optional<std::uint32_t> uid;
  if (options.run_as_user) {
    uid = static_cast<std::uint32_t>(*options.run_as_user);
    group_name = {};
  } else if (user.empty()) {
    uid = 0;
  } else {
    entry = find_passwd(passwd, [&](const PasswdEntry& e) { return e.name == user; });
    uid = entry ? entry->uid : parse_id(user);
    if (!uid)
      return invalid_argument(
          concat("unable to find user ", user, ": no matching entries in passwd file"));
  }
  out.uid = *uid;
  if (!entry) entry = find_passwd(passwd, [&](const PasswdEntry& e) { return e.uid == *uid; });
  out.gid = entry ? entry->gid : 0;
  if (!group_name.empty()) {
    auto gid = find_group(group, group_name);
    if (!gid) gid = parse_id(group_name);
    if (!gid)
      return invalid_argument(
          concat("unable to find group ", group_name, ": no matching entries in group file"));
    out.gid = *gid;
  }
  if (options.run_as_group) out.gid = static_cast<std::uint32_t>(*options.run_as_group);
  if (entry) add_memberships(group, entry->name, out);
  for (auto gid : options.supplemental_groups)
    out.additional_gids.push_back(static_cast<std::uint32_t>(gid));
  auto& gids = out.additional_gids;
  gids.push_back(out.gid);
  std::sort(gids.begin(), gids.end());
  gids.erase(std::unique(gids.begin(), gids.end()), gids.end());
  return out;
}

}  // namespace skiff::runtime
