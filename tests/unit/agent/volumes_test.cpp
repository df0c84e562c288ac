#include "agent/volumes/atomic_writer.h"
#include "agent/volumes/sub_path.h"
#include "agent/volumes/volume_set.h"
#include "agent/volumes/volume_usage.h"

#include <skiff/sys/files.h>

#include <catch2/catch.hpp>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace skiff;
using namespace skiff::agent;
using codec::Json;

namespace {

Json parse(std::string_view text) {
  auto json = codec::parse_json(text);
  REQUIRE(json);
  return *json;
}

struct TempFolder {
  std::string path;
  TempFolder() {
    char name[] = "/tmp/skiff-agent-XXXXXX";
    REQUIRE(mkdtemp(name) != nullptr);
    path = name;
  }
  ~TempFolder() { (void)sys::remove_tree(path); }
};

std::string content(const std::string& path) {
  auto bytes = sys::read_file(path, 1 << 20);
  return bytes ? *bytes : "<" + std::string(bytes.status().message()) + ">";
}

struct Fixture {
  Json pod = parse(R"({"metadata":{"name":"web","namespace":"shop","uid":"u1","labels":{"a":"b"}},
    "spec":{"serviceAccountName":"sa","containers":[{"name":"a"}]}})");
  ConfigSources sources;
  std::map<TokenKey, std::string> tokens;
  PayloadInput input() {
    return {pod, "10.42.0.7", NodeFacts{"node-1", "192.0.2.1", 2 << 30, 1000, 1 << 30}, sources,
            tokens};
  }
  Fixture() {
    sources.config_maps["cm"] = parse(R"({"data":{"a":"1","b":"2"},"binaryData":{"c":"AAE="}})");
    sources.secrets["s"] = parse(R"({"data":{"k":"c2VjcmV0"}})");
    tokens[{"sa", "", 3607}] = "jwt";
  }
};

}  // namespace

TEST_CASE("payloads of all kinds, with modes and items") {
  Fixture f;
  auto all =
      plan_payload(parse(R"({"name":"v","configMap":{"name":"cm","defaultMode":256}})"), f.input());
  REQUIRE(all);
  CHECK(all->size() == 3);
  CHECK(all->at("a").bytes == "1");
  CHECK(all->at("a").mode == 0400);
  CHECK(all->at("c").bytes == std::string("\0\1", 2));
  auto items = plan_payload(parse(R"({"name":"v","secret":{"secretName":"s","items":[
      {"key":"k","path":"x/y","mode":384}]}})"),
                            f.input());
  REQUIRE(items);
  CHECK(items->at("x/y").bytes == "secret");
  CHECK(items->at("x/y").mode == 0600);
  auto projected = plan_payload(parse(R"({"name":"v","projected":{"sources":[
      {"serviceAccountToken":{"expirationSeconds":3607,"path":"token"}},
      {"configMap":{"name":"cm","items":[{"key":"a","path":"ca.crt"}]}},
      {"downwardAPI":{"items":[{"path":"namespace","fieldRef":{"fieldPath":
        "metadata.namespace"}},{"path":"labels","fieldRef":{"fieldPath":"metadata.labels"}}]}}]}})"),
                                f.input());
  REQUIRE(projected);
  CHECK(projected->at("token").bytes == "jwt");
  CHECK(projected->at("ca.crt").bytes == "1");
  CHECK(projected->at("namespace").bytes == "shop");
  CHECK(projected->at("labels").bytes == "a=\"b\"");
}

TEST_CASE("a token is for whoever the pod runs as") {
  auto token_of = [](std::string_view spec) {
    Fixture f;
    const Json given = parse(spec);
    for (const auto& member : given.members()) f.pod["spec"].set(member.key, member.value);
    auto payload = plan_payload(parse(R"({"name":"v","projected":{"sources":[
        {"serviceAccountToken":{"expirationSeconds":3607,"path":"token"}}]}})"),
                                f.input());
    REQUIRE(payload);
    return payload->at("token");
  };
  CHECK(token_of(R"({"containers":[{}]})").mode == 0644);
  auto as_user = token_of(R"({"securityContext":{"runAsUser":7},"containers":[{},{}]})");
  CHECK(as_user.mode == 0600);
  CHECK(as_user.user == 7);
  auto mixed = token_of(R"({"securityContext":{"runAsUser":7},
      "containers":[{},{"securityContext":{"runAsUser":8}}]})");
  CHECK(mixed.mode == 0644);
  CHECK_FALSE(mixed.user);
  auto with_group = token_of(R"({"securityContext":{"fsGroup":9},"containers":[{}]})");
  CHECK(with_group.mode == 0600);
  CHECK_FALSE(with_group.user);
}

TEST_CASE("what the API made is read-only in every container") {
  TempFolder temp;
  Fixture f;
  VolumeFolders folders{temp.path + "/pods/u1", temp.path + "/run/u1"};
  f.pod["spec"].set("volumes", parse(R"([{"name":"e","emptyDir":{}},
      {"name":"c","configMap":{"name":"cm"}}])"));
  auto paths = set_up_volumes(folders, f.input(), "one");
  REQUIRE(paths);
  auto mounts = make_volume_mounts(folders, f.pod, parse(R"({"name":"m","volumeMounts":[
      {"name":"e","mountPath":"/e"},{"name":"c","mountPath":"/c"}]})"),
                                   *paths, {});
  REQUIRE(mounts);
  CHECK(mounts->at(0).options.back() == "rw");
  CHECK(mounts->at(1).options.back() == "ro");
}

TEST_CASE("an emptyDir in memory is bounded by the pod and the node, too") {
  NodeFacts node;
  node.allocatable_memory_bytes = 1 << 30;
  auto bytes = [&](std::string_view source, std::string_view limits) {
    const Json pod = Json::object(
        {{"spec", Json::object({{"containers",
                                 Json::array({Json::object({{"resources", parse(limits)}})})}})}});
    return plan_memory_volume_bytes(pod, Json::object({{"emptyDir", parse(source)}}), node);
  };
  CHECK(bytes(R"({"medium":"Memory"})", "{}") == 1 << 30);
  CHECK(bytes(R"({"medium":"Memory"})", R"({"limits":{"memory":"32Mi"}})") == 32 << 20);
  CHECK(bytes(R"({"sizeLimit":"1Mi"})", R"({"limits":{"memory":"32Mi"}})") == 1 << 20);
  CHECK(bytes(R"({"sizeLimit":"2Gi"})", "{}") == 1 << 30);
}

TEST_CASE("payload errors are the kubelet's, and paths never leave the volume") {
  struct Row {
    const char *volume, *message;
  };
  const Row rows[] = {
      {R"({"configMap":{"name":"x"}})", R"(configmap "x" not found)"},
      {R"({"secret":{"secretName":"x"}})", R"(secret "x" not found)"},
      {R"({"configMap":{"name":"cm","items":[{"key":"z","path":"z"}]}})",
       "configmap references non-existent config key: z"},
      {R"({"secret":{"secretName":"s","items":[{"key":"z","path":"z"}]}})",
       "references non-existent secret key: z"},
      {R"({"configMap":{"name":"cm","items":[{"key":"a","path":"../x"}]}})",
       R"(invalid path: "../x")"},
      {R"({"configMap":{"name":"cm","items":[{"key":"a","path":"/etc/x"}]}})",
       R"(invalid path: "/etc/x")"},
      {R"({"projected":{"sources":[{"clusterTrustBundle":{}}]}})",
       "projected source clusterTrustBundle is not supported"},
  };
  Fixture f;
  for (const auto& row : rows) {
    auto payload = plan_payload(parse(row.volume), f.input());
    REQUIRE_FALSE(payload);
    CHECK(payload.status().message() == row.message);
  }
  auto optional = plan_payload(parse(R"({"configMap":{"name":"x","optional":true}})"), f.input());
  REQUIRE(optional);
  CHECK(optional->empty());
}

TEST_CASE("a payload is replaced as a whole, and only when it changed") {
  TempFolder temp;
  std::string folder = temp.path + "/v";
  Payload payload{{"a", {"1", 0644}}, {"x/y", {"2", 0600}}};
  auto wrote = write_payload(folder, payload, "one", std::nullopt);
  REQUIRE(wrote);
  CHECK(*wrote);
  CHECK(content(folder + "/a") == "1");
  CHECK(content(folder + "/x/y") == "2");
  struct stat info {};
  REQUIRE(stat((folder + "/x/y").c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == 0600);
  wrote = write_payload(folder, payload, "two", std::nullopt);
  REQUIRE(wrote);
  CHECK_FALSE(*wrote);
  payload.erase("a");
  payload["b"] = {"3", 0644};
  wrote = write_payload(folder, payload, "three", std::nullopt);
  REQUIRE(wrote);
  CHECK(*wrote);
  CHECK_FALSE(sys::path_exists(folder + "/a"));
  CHECK(content(folder + "/b") == "3");
  auto names = sys::list_folder(folder);
  CHECK(*names == std::vector<std::string>{"..data", "..three", "b", "x"});
}

TEST_CASE("volumes are made, kept when made again, and taken down") {
  TempFolder temp;
  Fixture f;
  VolumeFolders folders{temp.path + "/pods/u1", temp.path + "/run/u1"};
  f.pod["spec"].set("volumes", parse(R"([{"name":"e","emptyDir":{}},
      {"name":"c","configMap":{"name":"cm"}},{"name":"h","hostPath":{"path":"/tmp"}}])"));
  auto paths = set_up_volumes(folders, f.input(), "one");
  REQUIRE(paths);
  CHECK(paths->at("h") == "/tmp");
  CHECK(content(paths->at("c") + "/a") == "1");
  struct stat info {};
  REQUIRE(stat(paths->at("e").c_str(), &info) == 0);
  CHECK((info.st_mode & 07777) == 0777);
  REQUIRE(sys::write_file_atomic(paths->at("e") + "/kept", "x", 0644, sys::Sync::no));
  REQUIRE(set_up_volumes(folders, f.input(), "two"));
  CHECK(content(paths->at("e") + "/kept") == "x");
  REQUIRE(tear_down_volumes(folders));
  CHECK_FALSE(sys::path_exists(paths->at("e")));
  CHECK_FALSE(sys::path_exists(paths->at("c")));
  CHECK(sys::path_exists("/tmp"));
}

TEST_CASE("a volume that cannot be made is named, also a kind that is not there") {
  TempFolder temp;
  Fixture f;
  VolumeFolders folders{temp.path + "/pods/u1", temp.path + "/run/u1"};
  f.pod["spec"].set("volumes", parse(R"([{"name":"c","configMap":{"name":"x"}}])"));
  CHECK(set_up_volumes(folders, f.input(), "one").status().message() ==
        R"(MountVolume.SetUp failed for volume "c" : configmap "x" not found)");
  f.pod["spec"].set("volumes", parse(R"([{"name":"n","nfs":{"server":"s"}}])"));
  CHECK(set_up_volumes(folders, f.input(), "one").status().message() ==
        R"(MountVolume.SetUp failed for volume "n" : volumes of type nfs are not supported)");
}

TEST_CASE("host paths are checked by type") {
  TempFolder temp;
  CHECK(check_host_path(temp.path, "Directory").is_ok());
  CHECK(check_host_path(temp.path, "File").message() ==
        "hostPath type check failed: " + temp.path + " is not a file");
  CHECK_FALSE(check_host_path(temp.path + "/no", "Directory").is_ok());
  CHECK(check_host_path(temp.path + "/new", "DirectoryOrCreate").is_ok());
  CHECK(sys::path_exists(temp.path + "/new"));
  CHECK(check_host_path(temp.path + "/file", "FileOrCreate").is_ok());
  CHECK(check_host_path(temp.path + "/file", "").is_ok());
  CHECK(check_host_path(temp.path + "/made/deep", "").is_ok());
  CHECK(sys::path_exists(temp.path + "/made/deep"));
  CHECK(check_host_path("/dev/null", "CharDevice").is_ok());
  CHECK_FALSE(check_host_path("/dev/null", "BlockDevice").is_ok());
  CHECK_FALSE(check_host_path("/dev/null", "Socket").is_ok());
}

TEST_CASE("a subPath stays inside its volume") {
  TempFolder temp;
  std::string volume = temp.path + "/volume";
  REQUIRE(sys::make_folders(volume));
  REQUIRE(sys::make_folders(temp.path + "/outside"));
  REQUIRE(symlink("../outside", (volume + "/link").c_str()) == 0);
  REQUIRE(symlink("/etc", (volume + "/absolute").c_str()) == 0);
  CHECK_FALSE(open_sub_path(volume, "../outside"));
  CHECK_FALSE(open_sub_path(volume, "/etc"));
  REQUIRE(open_sub_path(volume, "new/folder"));
  CHECK(sys::path_exists(volume + "/new/folder"));
  REQUIRE(chmod(volume.c_str(), 02777) == 0);
  REQUIRE(open_sub_path(volume, "open/folder"));
  for (const char* made : {"/open", "/open/folder"}) {
    struct stat info {};
    REQUIRE(stat((volume + made).c_str(), &info) == 0);
    CHECK((info.st_mode & 07777) == 02777);
  }
  auto through_link = open_sub_path(volume, "link/evil");
  CHECK_FALSE(sys::path_exists(temp.path + "/outside/evil"));
  auto through_absolute = open_sub_path(volume, "absolute/evil");
  CHECK_FALSE(sys::path_exists("/etc/evil"));
  (void)through_link;
  (void)through_absolute;
}

TEST_CASE("subPathExpr needs its variables and stays relative") {
  EnvList env{{"POD", "web"}, {"UP", ".."}, {"ROOT", "/x"}, {"EMPTY", ""}};
  CHECK(*expand_sub_path("logs/$(POD)", env) == "logs/web");
  CHECK(expand_sub_path("$(NO)/$(EMPTY)", env).status().message() == "missing value for EMPTY, NO");
  CHECK_FALSE(expand_sub_path("$(UP)/x", env));
  CHECK(expand_sub_path("$(ROOT)", env).status().message() ==
        "error SubPath `/x` must not be an absolute path");
}

TEST_CASE("an emptyDir on disk that is larger than its sizeLimit is found") {
  Json pod = *codec::parse_json(R"({"spec":{"volumes":[
      {"name":"small","emptyDir":{"sizeLimit":"1Mi"}},{"name":"free","emptyDir":{}},
      {"name":"memory","emptyDir":{"medium":"Memory","sizeLimit":"1"}},
      {"name":"zero","emptyDir":{"sizeLimit":"0"}}]}})");
  auto limits = plan_storage_limits(pod);
  REQUIRE(limits.volumes.size() == 1);
  CHECK(limits.containers.empty());
  TempFolder temp;
  const std::string folder = temp.path + "/volumes/small/a/b";
  REQUIRE(sys::make_folders(folder));
  REQUIRE(sys::write_file_atomic(folder + "/file", std::string(700'000, 'x'), 0600, sys::Sync::no));
  REQUIRE(symlink("/usr", (folder + "/link").c_str()) == 0);
  CHECK_FALSE(find_storage_excess({temp.path, {}}, limits));
  REQUIRE(sys::write_file_atomic(folder + "/more", std::string(700'000, 'x'), 0600, sys::Sync::no));
  CHECK(find_storage_excess({temp.path, {}}, limits) ==
        "Usage of EmptyDir volume \"small\" exceeds the limit \"1Mi\". ");
  CHECK(folder_bytes(temp.path + "/none", 1) == 0);
}

TEST_CASE("a container that writes more than its limit.ephemeral-storage is found") {
  Json pod = *codec::parse_json(R"({"spec":{"containers":[
      {"name":"a","resources":{"limits":{"ephemeral-storage":"1Mi"}}},
      {"name":"b","resources":{"limits":{"ephemeral-storage":"3Mi"}}},{"name":"c"}]}})");
  auto limits = plan_storage_limits(pod);
  CHECK(limits.containers.size() == 2);
  TempFolder temp;
  StorageFolders folders{temp.path + "/pod", {}};
  for (const char* name : {"a", "b", "c"})
    folders.containers[name] = {temp.path + "/" + name, temp.path + "/none"};
  auto write = [&](const std::string& folder, std::size_t bytes) {
    REQUIRE(sys::make_folders(temp.path + folder));
    REQUIRE(sys::write_file_atomic(temp.path + folder + "/file" + std::to_string(bytes),
                                   std::string(bytes, 'x'), 0600, sys::Sync::no));
  };
  write("/a", 900'000);
  CHECK_FALSE(find_storage_excess(folders, limits));
  write("/a", 400'000);
  CHECK(find_storage_excess(folders, limits) ==
        "Container a exceeded its local ephemeral storage limit \"1Mi\". ");
  write("/pod/volumes/v", 3'500'000);
  CHECK(find_storage_excess(folders, limits) ==
        "Pod ephemeral local storage usage exceeds the total limit of containers 4Mi. ");
}
