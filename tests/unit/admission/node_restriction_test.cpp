// What a node writes of kinds that are not served yet, and what has no request of its own.
#include <skiff/admission/admission.h>
#include <skiff/codec/base64.h>
#include <skiff/pki/certificate.h>

#include <catch2/catch.hpp>

#include <map>

#include "support/sim_loop.h"

using namespace skiff;
using admission::Operation;
using codec::Json;

namespace {

class FakeObjects final : public auth::ObjectReader {
 public:
  void put(const std::string& resource, const std::string& text) {
    auto tree = codec::parse_json(text);
    SKIFF_ASSERT(tree.is_ok());
    auto bytes = api::StoredObject::encode(*tree);
    objects_[resource + "/" + std::string(api::name_of(*tree))] = {bytes, 1};
  }
  api::StoredObject get(std::string_view, std::string_view resource, std::string_view,
                        std::string_view name) const override {
    auto found = objects_.find(std::string(resource) + "/" + std::string(name));
    return found == objects_.end() ? api::StoredObject() : found->second;
  }
  void scan(std::string_view, std::string_view, std::string_view,
            base::UniqueFunction<bool(const api::StoredObject&)>) const override {}

 private:
  std::map<std::string, api::StoredObject> objects_;
};

struct NoRights final : auth::Authorizer {
  auth::Decision authorize(const auth::Attributes&) const override {
    return {auth::Decision::Verdict::no_opinion, {}};
  }
};

// One write of node n1; the message that refuses it, or "".
class Writes {
 public:
  Writes() : random_(base::seeded_random(1)) {
    objects_.put("namespaces", R"({"metadata":{"name":"d"}})");
    objects_.put("pods", R"({"metadata":{"name":"mine"},"spec":{"nodeName":"n1"}})");
    objects_.put("pods", R"({"metadata":{"name":"theirs"},"spec":{"nodeName":"n2"}})");
    admission::Options options;
    options.reader = &objects_;
    options.authorizer = &rights_;
    options.timers = &loop_;
    options.random = random_.get();
    chain_ = admission::make_chain(options);
  }
  std::string write(std::string_view group, std::string_view resource, Operation operation,
                    const std::string& object, const std::string& live = "null",
                    std::string_view subresource = "", std::string_view name = "n1",
                    const auth::User& user = auth::node_user("n1")) {
    api::ResourceInfo info;
    info.group = group;
    info.resource = resource;
    admission::Attributes a;
    a.operation = operation;
    a.resource = &info;
    a.subresource = subresource;
    a.namespace_name = resource == "csinodes" || group == "certificates.k8s.io" ? "" : "d";
    a.name = name;
    a.user = &user;
    Json tree = *codec::parse_json(object);
    const Json before = *codec::parse_json(live);
    auto outcome = loop_.run(chain_->mutate(a, tree, before));
    return outcome.is_ok() ? "" : outcome.error().message;
  }
  std::string request(const std::string& signer, const std::string& common_name) {
    pki::Identity identity;
    identity.subject = {common_name, {"system:nodes"}};
    auto pem = pki::make_signing_request(identity, *pki::make_private_key());
    return R"({"metadata":{"name":"c"},"spec":{"signerName":")" + signer + R"(","request":")" +
           codec::base64_encode(*pem) + "\"}}";
  }

 private:
  test::SimLoop loop_;
  FakeObjects objects_;
  NoRights rights_;
  std::unique_ptr<base::Random> random_;
  std::unique_ptr<admission::Chain> chain_;
};

}  // namespace

TEST_CASE("a node asks the node signers for a certificate of its own name only") {
  Writes writes;
  auto ask = [&](const std::string& object) {
    return writes.write("certificates.k8s.io", "certificatesigningrequests", Operation::create,
                        object, "null", "", "c");
  };
  const std::string refused = "certificatesigningrequests.certificates.k8s.io \"c\" is forbidden: ";
  for (const std::string signer :
       {"kubernetes.io/kubelet-serving", "kubernetes.io/kube-apiserver-client-kubelet"}) {
    CHECK(ask(writes.request(signer, "system:node:n1")).empty());
    for (const char* name : {"system:node:n2", "system:node:", "n1", "system:node:n1 "}) {
      CHECK(ask(writes.request(signer, name)) ==
            refused + "can only create a node CSR with CN=system:node:n1");
    }
    for (const char* request : {"", "!", "bm90IGEgcmVxdWVzdA=="}) {
      CHECK(ask(R"({"metadata":{"name":"c"},"spec":{"signerName":")" + signer + R"(","request":")" +
                request + "\"}}")
                .find(refused + "unable to parse csr: ") == 0);
    }
  }
  // Of other signers the approver decides.
  CHECK(ask(writes.request("example.com/signer", "system:node:n2")).empty());
}

TEST_CASE("a node writes its own CSINode, and of claims only how far they have grown") {
  Writes writes;
  CHECK(writes.write("storage.k8s.io", "csinodes", Operation::create, "{}").empty());
  CHECK(writes.write("storage.k8s.io", "csinodes", Operation::update, "{}", "{}", "", "n2") ==
        "csinodes.storage.k8s.io \"n2\" is forbidden: can only access CSINode with the same name "
        "as the requesting node");
  auto claim = [&](const std::string& object, std::string_view subresource) {
    return writes.write("", "persistentvolumeclaims", Operation::update, object,
                        R"({"metadata":{"name":"c"},"status":{"phase":"Bound"}})", subresource,
                        "c");
  };
  CHECK(claim(R"({"metadata":{"name":"c","resourceVersion":"7"},
                  "status":{"phase":"Bound","capacity":{"storage":"2Gi"}}})",
              "status")
            .empty());
  for (const char* object :
       {R"({"metadata":{"name":"c"},"status":{"phase":"Lost"}})",
        R"({"metadata":{"name":"c","labels":{"a":"b"}},"status":{"phase":"Bound"}})"}) {
    CHECK(claim(object, "status") ==
          "persistentvolumeclaims \"c\" is forbidden: node \"n1\" is not allowed to update fields "
          "other than status.quantity and status.conditions");
  }
  CHECK(claim("{}", "") == "persistentvolumeclaims \"c\" is forbidden: may only update PVC status");
}

TEST_CASE("a node evicts its own pods, and uses no other subresource of a pod") {
  Writes writes;
  CHECK(writes.write("", "pods", Operation::create, "{}", "null", "eviction", "mine").empty());
  CHECK(writes.write("", "pods", Operation::remove, "null", "{}", "", "mine").empty());
  CHECK(writes.write("", "pods", Operation::create, "{}", "null", "eviction", "theirs") ==
        "pods \"theirs\" is forbidden: node n1 can only evict pods with spec.nodeName set to "
        "itself");
  CHECK(writes.write("", "pods", Operation::create, "{}", "null", "eviction", "none") ==
        "pods \"none\" not found");
  CHECK(writes.write("", "pods", Operation::update, "{}", "{}", "binding", "mine") ==
        "pods \"mine\" is forbidden: unexpected pod subresource \"binding\", only 'status' and "
        "'eviction' are allowed");
  CHECK(writes.write("", "pods", Operation::update, "{}", "{}", "", "mine") ==
        "pods \"mine\" is forbidden: unexpected operation \"UPDATE\", node \"n1\" can only create "
        "and delete mirror pods");
  CHECK(writes.write("", "pods", Operation::connect, "{}", "null", "exec", "theirs").empty());
}

TEST_CASE("who is no node is not restricted") {
  Writes writes;
  const auth::User user{"system:node:n1", {}, {"system:authenticated"}, {}};
  CHECK(writes.write("", "nodes", Operation::update, "{}", "{}", "", "n2", user).empty());
}
