#include "agent/container/plan_env.h"

#include <skiff/api/pod_references.h>
#include <skiff/base/strings.h>
#include <skiff/codec/base64.h>

#include "agent/limits.h"

#include <algorithm>
#include <set>

namespace skiff::agent {

namespace {

// Keeps the order of first definition; later values replace.
class EnvBuilder {
 public:
  void set(std::string name, std::string value) {
    auto it = index_.find(name);
    if (it != index_.end()) {
      bytes_ += value.size();
      list_[it->second].second = std::move(value);
      return;
    }
    bytes_ += name.size() + value.size() + 2;
    index_.emplace(name, list_.size());
    list_.emplace_back(std::move(name), std::move(value));
  }
  const std::string* find(std::string_view name) const {
    auto it = index_.find(name);
    return it == index_.end() ? nullptr : &list_[it->second].second;
  }
  std::size_t bytes() const { return bytes_; }
  EnvList take() { return std::move(list_); }

 private:
  EnvList list_;
  std::map<std::string, std::size_t, std::less<>> index_;
  std::size_t bytes_ = 0;
};

base::Result<std::string> secret_value(const codec::Json& value) {
  return codec::base64_decode(value.as_string());
}

class EnvPlanner {
 public:
  explicit EnvPlanner(const EnvInput& input) : input_(input) {
    bool links = input.pod["spec"]["enableServiceLinks"].as_bool(true);
    for (auto& [name, value] : plan_service_env(input.services, namespace_name(), links))
      service_env_.set(name, value);
  }

  base::Result<EnvList> plan() {
    for (const auto& source : input_.container["envFrom"].items())
      SKIFF_RETURN_IF_ERROR(add_from(source));
    for (const auto& entry : input_.container["env"].items()) {
      SKIFF_RETURN_IF_ERROR(add(entry));
      if (env_.bytes() > kEnvBytesMax)
        return base::invalid_argument("the environment is larger than 1 MiB");
    }
    for (auto& [name, value] : service_env_.take())
      if (env_.find(name) == nullptr) env_.set(name, value);
    return env_.take();
  }

 private:
  std::string_view namespace_name() const {
    return input_.pod["metadata"]["namespace"].as_string();
  }

  base::Status add_from(const codec::Json& source) {
    std::string_view prefix = source["prefix"].as_string();
    bool is_secret = source.contains("secretRef");
    const auto& reference = source[is_secret ? "secretRef" : "configMapRef"];
    const auto& objects = is_secret ? input_.sources.secrets : input_.sources.config_maps;
    auto it = objects.find(reference["name"].as_string());
    if (it == objects.end()) {
      if (reference["optional"].as_bool()) return {};
      return base::not_found(base::concat(is_secret ? "secret " : "configmap ",
                                          base::quote(reference["name"].as_string()),
                                          " not found"));
    }
    for (const auto& member : it->second["data"].members()) {
      std::string value(member.value.as_string());
      if (is_secret) {
        SKIFF_ASSIGN_OR_RETURN(value, secret_value(member.value));
      }
      env_.set(base::concat(prefix, member.key), std::move(value));
    }
    return {};
  }

  base::Status add(const codec::Json& entry) {
    std::string name(entry["name"].as_string());
    const auto& from = entry["valueFrom"];
    if (from.is_null()) {
      auto find = [this](std::string_view wanted) {
        const std::string* own = env_.find(wanted);
        return own != nullptr ? own : service_env_.find(wanted);
      };
      env_.set(name, expand_variables(entry["value"].as_string(), find));
      return {};
    }
    if (from.contains("fieldRef")) {
      SKIFF_ASSIGN_OR_RETURN(auto value,
                             plan_field(input_.pod, from["fieldRef"]["fieldPath"].as_string(),
                                        input_.pod_ip, input_.node));
      env_.set(name, std::move(value));
    } else if (from.contains("resourceFieldRef")) {
      SKIFF_ASSIGN_OR_RETURN(auto value, resource_field(from["resourceFieldRef"]));
      env_.set(name, std::move(value));
    } else if (from.contains("configMapKeyRef")) {
      return add_key(name, from["configMapKeyRef"], false);
    } else if (from.contains("secretKeyRef")) {
      return add_key(name, from["secretKeyRef"], true);
    } else {
      return base::Status(base::Code::unimplemented,
                          base::concat("env ", name, ": this source of a value is not supported"));
    }
    return {};
  }

  base::Result<std::string> resource_field(const codec::Json& selector) {
    std::string_view wanted = selector["containerName"].as_string();
    if (wanted.empty() || wanted == input_.container["name"].as_string())
      return plan_resource_field(input_.container, selector, input_.node);
    for (const char* list : {"containers", "initContainers"})
      for (const auto& container : input_.pod["spec"][list].items())
        if (container["name"].as_string() == wanted)
          return plan_resource_field(container, selector, input_.node);
    return base::invalid_argument(base::concat("container ", wanted, " not found"));
  }

  base::Status add_key(const std::string& name, const codec::Json& reference, bool is_secret) {
    const auto& objects = is_secret ? input_.sources.secrets : input_.sources.config_maps;
    bool optional = reference["optional"].as_bool();
    std::string_view object_name = reference["name"].as_string();
    std::string_view key = reference["key"].as_string();
    auto it = objects.find(object_name);
    if (it == objects.end()) {
      if (optional) return {};
      return base::not_found(base::concat(is_secret ? "secret " : "configmap ",
                                          base::quote(object_name), " not found"));
    }
    const auto* value = it->second["data"].find(key);
    if (value == nullptr) {
      if (optional) return {};
      return base::not_found(base::concat("couldn't find key ", key, " in ",
                                          is_secret ? "Secret " : "ConfigMap ", namespace_name(),
                                          "/", object_name));
    }
    std::string text(value->as_string());
    if (is_secret) {
      SKIFF_ASSIGN_OR_RETURN(text, secret_value(*value));
    }
    env_.set(name, std::move(text));
    return {};
  }

  const EnvInput& input_;
  EnvBuilder env_, service_env_;
};

}  // namespace

std::string expand_variables(std::string_view text,
                             const std::function<const std::string*(std::string_view)>& find) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '$' || i + 1 == text.size()) {
      out += text[i];
      continue;
    }
    char next = text[i + 1];
    if (next == '$') {
      out += '$';
      ++i;
    } else if (next == '(') {
      auto close = text.find(')', i + 2);
      if (close == std::string_view::npos) {
        out += '$';
        continue;
      }
      std::string_view name = text.substr(i + 2, close - i - 2);
      if (const std::string* value = find(name)) {
        out += *value;
      } else {
        out += text.substr(i, close - i + 1);
      }
      i = close;
    } else {
      out += '$';
    }
  }
  return out;
}

std::vector<std::string> plan_arguments(const codec::Json& list, const EnvList& env) {
  std::vector<std::string> out;
  auto find = [&env](std::string_view name) -> const std::string* {
    for (const auto& [key, value] : env)
      if (key == name) return &value;
    return nullptr;
  };
  for (const auto& item : list.items()) out.push_back(expand_variables(item.as_string(), find));
  return out;
}

ConfigNames plan_config_names(const codec::Json& pod) {
  std::set<std::string> maps, secrets;
  api::visit_pod_references(pod, [&](api::PodReference kind, std::string_view name) {
    if (kind == api::PodReference::config_map && !name.empty()) maps.emplace(name);
    if (kind == api::PodReference::secret && !name.empty()) secrets.emplace(name);
    return true;
  });
  return {{maps.begin(), maps.end()}, {secrets.begin(), secrets.end()}};
}

base::Result<EnvList> plan_env(const EnvInput& input) { return EnvPlanner(input).plan(); }

}  // namespace skiff::agent
