#include "app/join/prepared_tokens.h"

#include <skiff/base/log.h>
#include <skiff/base/strings.h>
#include <skiff/codec/json.h>
#include <skiff/sys/files.h>

#include "app/credentials/key_files.h"
#include "app/limits.h"

namespace skiff::app {

using codec::Json;

namespace {

std::string folder_of(const Config& config) { return config.data_dir + "/pki/join-tokens"; }

base::Result<Json> read_prepared(const std::string& path, base::WallTime now) {
  SKIFF_ASSIGN_OR_RETURN(auto text, sys::read_file(path, kKeyFileBytesMax));
  SKIFF_ASSIGN_OR_RETURN(const Json tree, codec::parse_json(text));
  SKIFF_ASSIGN_OR_RETURN(auto record, auth::read_join_token_secret(tree["secret"]));
  record.issued = now;
  record.expires.reset();
  if (tree.contains("ttlSeconds"))
    record.expires = now + std::chrono::seconds(tree["ttlSeconds"].as_int());
  return auth::join_token_secret(record);
}

}  // namespace

base::Status write_prepared_token(const Config& config, const auth::JoinTokenRecord& record,
                                  std::optional<base::Duration> ttl) {
  const std::string folder = folder_of(config);
  SKIFF_RETURN_IF_ERROR(sys::make_folders(folder, kKeyFolderMode));
  Json tree = Json::object({{"secret", auth::join_token_secret(record)}});
  if (ttl)
    tree.set("ttlSeconds", static_cast<long long>(
                               std::chrono::duration_cast<std::chrono::seconds>(*ttl).count()));
  return sys::write_file_atomic(base::concat(folder, "/", record.id, ".json"),
                                codec::write_json_pretty(tree) + "\n", kKeyMode);
}

base::Task<base::Status> take_over_prepared_tokens(const Config& config, client::Client& client,
                                                   base::WallTime now) {
  const std::string folder = folder_of(config);
  auto files = sys::list_folder(folder);
  if (!files) {
    co_return files.code() == base::Code::not_found ? base::Status() : files.status();
  }
  for (const auto& file : *files) {
    if (!base::ends_with(file, ".json")) continue;
    const std::string path = base::concat(folder, "/", file);
    auto secret = read_prepared(path, now);
    if (!secret) {
      base::log_warning("a prepared token cannot be read and is left alone",
                        {{"file", path}, {"error", secret.status().message()}});
      continue;
    }
    auto creating = client.create(client::resources::secrets,
                                  std::string(auth::kJoinTokenNamespace), std::move(*secret));
    auto created = co_await std::move(creating);
    if (!created && created.code() != base::Code::already_exists) co_return created.status();
    SKIFF_CO_RETURN_IF_ERROR(sys::remove_tree(path));
    SKIFF_CO_RETURN_IF_ERROR(sys::sync_folder(folder));
  }
  co_return base::Status();
}

}  // namespace skiff::app
