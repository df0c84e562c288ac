// One nftables transaction: messages for the kernel in the order in which they were added.
//
// Thin over libnftnl: names and bytes in, netlink messages out; nothing here knows what a Service
// is. Thread-compatible.
#pragma once

#include <skiff/base/result.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

struct nftnl_expr;
struct nftnl_rule;

namespace skiff::net {

// 32-bit registers of the packet program.
enum class Register : std::uint32_t { r0 = 8, r1, r2, r3, r4, r5, r6, r7 };

// nft's numbers of key and data types, for `nft list`: six bits each in a concatenation.
inline constexpr std::uint32_t kTypeInteger = 4, kTypeIpv4 = 7, kTypeProtocol = 12, kTypePort = 13;
constexpr std::uint32_t concat_types(std::uint32_t a, std::uint32_t b) { return a << 6 | b; }
inline constexpr std::uint32_t kTypeVerdict = 0xffffff00;

// The expressions of one rule, added in order of execution.
class RuleBuilder {
 public:
  RuleBuilder(const std::string& table, const std::string& chain);
  ~RuleBuilder();
  RuleBuilder(RuleBuilder&&) noexcept;

  RuleBuilder& load_source_address(Register to);
  RuleBuilder& load_destination_address(Register to);
  RuleBuilder& load_destination_port(Register to);
  RuleBuilder& load_protocol(Register to);
  RuleBuilder& load_mark(Register to);
  RuleBuilder& load_ct_status(Register to);
  RuleBuilder& load_random(Register to, std::uint32_t modulus);
  // 2 (RTN_LOCAL) when the destination is an address of this host.
  RuleBuilder& load_destination_kind(Register to);
  RuleBuilder& load_value(Register to, std::string_view bytes);
  RuleBuilder& mask(Register reg, std::string_view and_mask, std::string_view xor_value);
  RuleBuilder& match_equal(Register reg, std::string_view bytes);
  RuleBuilder& match_not_equal(Register reg, std::string_view bytes);
  // Goes on when the key that starts in `key` is in the set.
  RuleBuilder& match_in_set(const std::string& set, std::uint32_t set_id, Register key);
  // Puts the map's value into `to`, or goes where a verdict map says.
  RuleBuilder& look_up(const std::string& map, std::uint32_t map_id, Register key, Register to);
  RuleBuilder& look_up_verdict(const std::string& map, std::uint32_t map_id, Register key);
  // Adds or refreshes an element of a dynamic set.
  RuleBuilder& refresh_in_set(const std::string& set, std::uint32_t set_id, Register key,
                              std::uint64_t timeout_ms);
  RuleBuilder& set_mark(Register from);
  RuleBuilder& destination_nat(Register address, Register port);
  RuleBuilder& masquerade();
  // REQUIRES: the packet is TCP.
  RuleBuilder& reject_with_reset();
  RuleBuilder& reject_port_unreachable();
  RuleBuilder& drop();
  RuleBuilder& jump(const std::string& chain);
  RuleBuilder& go_to(const std::string& chain);
  RuleBuilder& comment(std::string_view text);

  nftnl_rule* get() const { return rule_; }

 private:
  RuleBuilder& add(nftnl_expr* expression);
  nftnl_rule* rule_;
};

struct SetOptions {
  std::string name;
  std::uint32_t id = 0;  // unique in the batch
  std::uint32_t key_type = 0, key_bytes = 0;
  std::uint32_t data_type = 0, data_bytes = 0;  // maps; kTypeVerdict for verdict maps
  bool is_map = false, is_anonymous = false;
  std::uint64_t timeout_ms = 0;  // > 0: dynamic, elements end by themselves
};
struct SetElement {
  std::string key;
  std::string data;   // of a data map
  std::string chain;  // of a verdict map: goto
};
struct BaseChain {
  const char* type = nullptr;  // "nat", "filter"; null for a chain that is only jumped to
  std::uint32_t hook = 0;
  std::int32_t priority = 0;
};

class NftBatch {
 public:
  explicit NftBatch(std::string table);
  ~NftBatch();

  void add_table();
  void delete_table();
  void add_chain(const std::string& name, const BaseChain& base = {});
  void flush_chain(const std::string& name);
  void delete_chain(const std::string& name);
  void add_set(const SetOptions& set);
  void delete_set(const std::string& name);
  void add_elements(const std::string& set, std::uint32_t set_id,
                    const std::vector<SetElement>& elements);
  void delete_elements(const std::string& set, const std::vector<SetElement>& elements);
  void add_rule(const RuleBuilder& rule);
  const std::string& table() const { return table_; }
  bool empty() const { return messages_ == 0; }

  // Sends everything as one transaction: all of it holds afterwards or nothing does. Errors:
  // unimplemented when the kernel has no nftables, not_found for a delete of what is not there.
  base::Status commit();

 private:
  struct Buffer;
  template <class Build>
  void message(std::uint16_t type, std::uint16_t flags, Build build);
  void elements(std::uint16_t type, const std::string& set, std::uint32_t set_id,
                const std::vector<SetElement>& elements);

  const std::string table_;
  std::unique_ptr<Buffer> buffer_;
  std::uint32_t sequence_ = 0;
  std::size_t messages_ = 0;
  bool too_large_ = false;
};

}  // namespace skiff::net
