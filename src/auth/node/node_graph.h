// Which node may see what: pods and what they name, by node.
#pragma once

#include <skiff/api/object.h>
#include <skiff/api/pod_references.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace skiff::auth {

// Thread-compatible. A question allocates nothing.
class NodeGraph {
 public:
  // `key` is "namespace/name". Of a pod whose node and uid are known only the revision is noted:
  // what a bound pod names does not change, its ephemeral containers aside.
  void put(std::string_view key, const api::StoredObject& pod);
  void remove(std::string_view key);
  // Between the two every pod that is there is put; what was not is forgotten.
  void begin_scan() { ++scan_; }
  void end_scan();

  bool is_on(std::string_view node, std::string_view namespace_name, std::string_view pod) const;
  // Whether a pod of the node names the object. Mirror pods name nothing: their node made them.
  bool names(std::string_view node, api::PodReference kind, std::string_view namespace_name,
             std::string_view name) const;
  std::size_t pods() const { return pods_.size(); }

 private:
  struct View {
    api::PodReference kind;
    std::string_view namespace_name, name;
  };
  // How many pods of a node name an object.
  struct Use {
    std::uint32_t node, pods;
  };
  struct Object {
    api::PodReference kind;
    std::uint32_t namespace_size;
    std::string key;                // "namespace/name"
    mutable std::vector<Use> uses;  // by node
    View view() const;
  };
  struct Pod {
    std::uint64_t revision = 0;
    std::size_t uid_hash = 0;
    std::uint32_t node = 0, scan = 0;
    std::vector<const Object*> names;
  };
  struct Node {
    std::string name;
    std::uint32_t pods = 0;
  };
  static View view_of(const View& view) { return view; }
  static View view_of(const Object& object) { return object.view(); }
  static View view_of(std::string_view key);
  struct Hash {
    using is_transparent = void;
    template <class T>
    std::size_t operator()(const T& value) const {
      return hash_of(view_of(value));
    }
  };
  struct Equal {
    using is_transparent = void;
    template <class A, class B>
    bool operator()(const A& a, const B& b) const {
      return same(view_of(a), view_of(b));
    }
  };
  struct TextHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const {
      return std::hash<std::string_view>()(text);
    }
  };
  using Pods = std::unordered_map<std::string, Pod, Hash, Equal>;

  static std::size_t hash_of(const View& view);
  static bool same(const View& a, const View& b);
  std::uint32_t take_node(std::string_view name);
  void release_node(std::uint32_t node);
  void add_names(std::string_view namespace_name, const codec::Json& tree, Pod& pod);
  void release_names(Pod& pod);
  Pods::iterator erase(Pods::iterator at);

  Pods pods_;
  std::unordered_set<Object, Hash, Equal> objects_;
  std::unordered_map<std::string, std::uint32_t, TextHash, std::equal_to<>> node_numbers_;
  std::vector<Node> nodes_;
  std::vector<std::uint32_t> free_nodes_;
  std::uint32_t scan_ = 0;
};

}  // namespace skiff::auth
