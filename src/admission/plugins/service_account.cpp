#include <skiff/api/object.h>
#include <skiff/api/pod_references.h>
#include <skiff/api/scan.h>
#include <skiff/base/strings.h>

#include "admission/limits.h"
#include "admission/plugin.h"

namespace skiff::admission {

using codec::Json;

namespace {

constexpr std::string_view kMountPath = "/var/run/secrets/kubernetes.io/serviceaccount";
constexpr std::string_view kVolumePrefix = "kube-api-access-";

bool mounts_account(const Json& container) {
  for (const auto& mount : container["volumeMounts"].items()) {
    if (mount["mountPath"].as_string() == kMountPath) return true;
  }
  return false;
}

// What is the same in the volume of every pod.
Json access_sources() {
  Json token = Json::object({{"expirationSeconds", kTokenSeconds}, {"path", "token"}});
  Json ca = Json::object(
      {{"name", "kube-root-ca.crt"},
       {"items", Json::array({Json::object({{"key", "ca.crt"}, {"path", "ca.crt"}})})}});
  Json field = Json::object({{"apiVersion", "v1"}, {"fieldPath", "metadata.namespace"}});
  Json downward = Json::object(
      {{"items", Json::array({Json::object({{"path", "namespace"}, {"fieldRef", field}})})}});
  Json sources =
      Json::array({Json::object({{"serviceAccountToken", token}}),
                   Json::object({{"configMap", ca}}), Json::object({{"downwardAPI", downward}})});
  return Json::object({{"defaultMode", 420}, {"sources", sources}});
}

// Gives every pod an account, and its containers the account's token. Immutable.
class ServiceAccount final : public Plugin {
 public:
  explicit ServiceAccount(const Options& options)
      : reader_(*options.reader), random_(*options.random), timers_(options.timers) {}

  base::Task<api::Outcome<>> mutate(const Attributes& a, Json& pod, const Json&) const override {
    if (!creates_pod(a)) co_return api::Done{};
    if (is_mirror(pod)) co_return check_mirror(a, pod);
    std::string name(std::as_const(pod)["spec"]["serviceAccountName"].as_string());
    if (name.empty()) name = "default";
    pod["spec"].set("serviceAccountName", name);
    pod["spec"].set("serviceAccount", name);
    auto finding = find(std::string(a.namespace_name), name);
    auto stored = co_await std::move(finding);
    if (stored.empty()) {
      co_return api::forbidden_error(
          "", "pods", a.name,
          base::concat("error looking up service account ", a.namespace_name, "/", name,
                       ": serviceaccount ", base::quote(name), " not found"));
    }
    if (should_mount(pod, stored)) mount(pod);
    if (std::as_const(pod)["spec"]["imagePullSecrets"].empty()) {
      Json secrets = api::scan_tree(stored.text(), {"imagePullSecrets"});
      if (!secrets.empty()) pod["spec"].set("imagePullSecrets", std::move(secrets));
    }
    co_return api::Done{};
  }

  base::Task<api::Outcome<>> validate(const Attributes& a, const Json& pod,
                                      const Json&) const override {
    if (!creates_pod(a) || !is_mirror(pod)) co_return api::Done{};
    co_return check_mirror(a, pod);
  }

 private:
  static bool is_mirror(const Json& pod) {
    return pod["metadata"]["annotations"].find("kubernetes.io/config.mirror") != nullptr;
  }

  // A node shows with it what it runs anyway: it must give nobody anything.
  static api::Outcome<> check_mirror(const Attributes& a, const Json& pod) {
    auto refuse = [&](std::string_view detail) {
      return api::forbidden_error("", "pods", a.name, detail);
    };
    if (!pod["spec"]["serviceAccountName"].as_string().empty()) {
      return refuse("a mirror pod may not reference service accounts");
    }
    bool secrets = false;
    bool tokens = false;
    api::visit_pod_references(pod, [&](api::PodReference kind, std::string_view) {
      secrets = secrets || kind == api::PodReference::secret;
      tokens = tokens || kind == api::PodReference::service_account_token;
      return true;
    });
    if (secrets) return refuse("a mirror pod may not reference secrets");
    if (tokens) return refuse("a mirror pod may not use ServiceAccountToken volume projections");
    return api::Done{};
  }

  base::Task<api::StoredObject> find(std::string namespace_name, std::string name) const {
    for (int attempt = 1;; ++attempt) {
      auto account = reader_.get("", "serviceaccounts", namespace_name, name);
      const bool may_come = name == "default" && timers_ != nullptr;
      if (!account.empty() || !may_come || attempt == kAccountAttemptsMax) co_return account;
      auto sleeping = base::sleep(*timers_, kAccountRetryInterval, base::CancelToken());
      (void)co_await std::move(sleeping);
    }
  }

  static bool should_mount(const Json& pod, const api::StoredObject& account) {
    if (const Json* own = pod["spec"].find("automountServiceAccountToken")) {
      return own->as_bool(true);
    }
    return api::scan_tree(account.text(), {"automountServiceAccountToken"}).as_bool(true);
  }

  void mount(Json& pod) const {
    std::string volume;
    for (const auto& existing : std::as_const(pod)["spec"]["volumes"].items()) {
      auto name = existing["name"].as_string();
      if (base::starts_with(name, kVolumePrefix)) volume = name;
    }
    const bool made = volume.empty();
    if (made) volume = base::concat(kVolumePrefix, base::make_name_suffix(random_, 5));
    bool needed = false;
    for (std::string_view list : {"initContainers", "containers"}) {
      Json* containers = pod["spec"].find(list);
      if (containers == nullptr || !containers->is_array()) continue;
      for (auto& container : containers->mutable_items()) {
        if (!container.is_object() || mounts_account(container)) continue;
        needed = true;
        Json& added = container["volumeMounts"].push_back(Json::object());
        added.set("name", volume);
        added.set("readOnly", true);
        added.set("mountPath", kMountPath);
      }
    }
    if (!needed || !made) return;
    Json& added = pod["spec"]["volumes"].push_back(Json::object());
    added.set("name", std::move(volume));
    added.set("projected", projected_);
  }

  const auth::ObjectReader& reader_;
  base::Random& random_;
  base::Timers* timers_;
  const Json projected_ = access_sources();
};

}  // namespace

std::unique_ptr<Plugin> make_service_account(const Options& options) {
  return std::make_unique<ServiceAccount>(options);
}

}  // namespace skiff::admission
