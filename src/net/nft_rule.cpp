#include <arpa/inet.h>
#include <netinet/in.h>

#include "net/nft_batch.h"

#include <libnftnl/expr.h>
#include <libnftnl/rule.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>

#include <algorithm>
#include <utility>

namespace skiff::net {

namespace {

constexpr std::uint32_t kSourceAddressOffset = 12, kDestinationAddressOffset = 16;
constexpr std::uint32_t kDestinationPortOffset = 2;
constexpr std::size_t kCommentBytesMax = 127;

std::uint32_t number(Register reg) { return static_cast<std::uint32_t>(reg); }

nftnl_expr* make(const char* name) { return nftnl_expr_alloc(name); }

nftnl_expr* payload(std::uint32_t base, std::uint32_t offset, std::uint32_t bytes, Register to) {
  nftnl_expr* e = make("payload");
  nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_BASE, base);
  nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_OFFSET, offset);
  nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_LEN, bytes);
  nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_DREG, number(to));
  return e;
}

nftnl_expr* meta(std::uint32_t key, Register to) {
  nftnl_expr* e = make("meta");
  nftnl_expr_set_u32(e, NFTNL_EXPR_META_KEY, key);
  nftnl_expr_set_u32(e, NFTNL_EXPR_META_DREG, number(to));
  return e;
}

nftnl_expr* compare(std::uint32_t operation, Register reg, std::string_view bytes) {
  nftnl_expr* e = make("cmp");
  nftnl_expr_set_u32(e, NFTNL_EXPR_CMP_SREG, number(reg));
  nftnl_expr_set_u32(e, NFTNL_EXPR_CMP_OP, operation);
  nftnl_expr_set_data(e, NFTNL_EXPR_CMP_DATA, bytes.data(),
                      static_cast<std::uint32_t>(bytes.size()));
  return e;
}

nftnl_expr* lookup(const std::string& set, std::uint32_t set_id, Register key) {
  nftnl_expr* e = make("lookup");
  nftnl_expr_set_u32(e, NFTNL_EXPR_LOOKUP_SREG, number(key));
  nftnl_expr_set_str(e, NFTNL_EXPR_LOOKUP_SET, set.c_str());
  if (set_id != 0) nftnl_expr_set_u32(e, NFTNL_EXPR_LOOKUP_SET_ID, set_id);
  return e;
}

nftnl_expr* verdict(int code, const std::string& chain = {}) {
  nftnl_expr* e = make("immediate");
  nftnl_expr_set_u32(e, NFTNL_EXPR_IMM_DREG, NFT_REG_VERDICT);
  if (!chain.empty()) nftnl_expr_set_str(e, NFTNL_EXPR_IMM_CHAIN, chain.c_str());
  nftnl_expr_set_u32(e, NFTNL_EXPR_IMM_VERDICT, static_cast<std::uint32_t>(code));
  return e;
}

}  // namespace

RuleBuilder::RuleBuilder(const std::string& table, const std::string& chain)
    : rule_(nftnl_rule_alloc()) {
  nftnl_rule_set_u32(rule_, NFTNL_RULE_FAMILY, NFPROTO_IPV4);
  nftnl_rule_set_str(rule_, NFTNL_RULE_TABLE, table.c_str());
  nftnl_rule_set_str(rule_, NFTNL_RULE_CHAIN, chain.c_str());
}
RuleBuilder::RuleBuilder(RuleBuilder&& other) noexcept
    : rule_(std::exchange(other.rule_, nullptr)) {}
RuleBuilder::~RuleBuilder() {
  if (rule_ != nullptr) nftnl_rule_free(rule_);
}

RuleBuilder& RuleBuilder::add(nftnl_expr* expression) {
  nftnl_rule_add_expr(rule_, expression);
  return *this;
}

RuleBuilder& RuleBuilder::load_source_address(Register to) {
  return add(payload(NFT_PAYLOAD_NETWORK_HEADER, kSourceAddressOffset, 4, to));
}
RuleBuilder& RuleBuilder::load_destination_address(Register to) {
  return add(payload(NFT_PAYLOAD_NETWORK_HEADER, kDestinationAddressOffset, 4, to));
}
RuleBuilder& RuleBuilder::load_destination_port(Register to) {
  return add(payload(NFT_PAYLOAD_TRANSPORT_HEADER, kDestinationPortOffset, 2, to));
}
RuleBuilder& RuleBuilder::load_protocol(Register to) { return add(meta(NFT_META_L4PROTO, to)); }
RuleBuilder& RuleBuilder::load_mark(Register to) { return add(meta(NFT_META_MARK, to)); }

RuleBuilder& RuleBuilder::load_ct_status(Register to) {
  nftnl_expr* e = make("ct");
  nftnl_expr_set_u32(e, NFTNL_EXPR_CT_KEY, NFT_CT_STATUS);
  nftnl_expr_set_u32(e, NFTNL_EXPR_CT_DREG, number(to));
  return add(e);
}

RuleBuilder& RuleBuilder::load_random(Register to, std::uint32_t modulus) {
  nftnl_expr* e = make("numgen");
  nftnl_expr_set_u32(e, NFTNL_EXPR_NG_DREG, number(to));
  nftnl_expr_set_u32(e, NFTNL_EXPR_NG_MODULUS, modulus);
  nftnl_expr_set_u32(e, NFTNL_EXPR_NG_TYPE, NFT_NG_RANDOM);
  nftnl_expr_set_u32(e, NFTNL_EXPR_NG_OFFSET, 0);
  return add(e);
}

RuleBuilder& RuleBuilder::load_destination_kind(Register to) {
  nftnl_expr* e = make("fib");
  nftnl_expr_set_u32(e, NFTNL_EXPR_FIB_DREG, number(to));
  nftnl_expr_set_u32(e, NFTNL_EXPR_FIB_RESULT, NFT_FIB_RESULT_ADDRTYPE);
  nftnl_expr_set_u32(e, NFTNL_EXPR_FIB_FLAGS, NFTA_FIB_F_DADDR);
  return add(e);
}

RuleBuilder& RuleBuilder::load_value(Register to, std::string_view bytes) {
  nftnl_expr* e = make("immediate");
  nftnl_expr_set_u32(e, NFTNL_EXPR_IMM_DREG, number(to));
  nftnl_expr_set_data(e, NFTNL_EXPR_IMM_DATA, bytes.data(),
                      static_cast<std::uint32_t>(bytes.size()));
  return add(e);
}

RuleBuilder& RuleBuilder::mask(Register reg, std::string_view and_mask,
                               std::string_view xor_value) {
  nftnl_expr* e = make("bitwise");
  auto bytes = static_cast<std::uint32_t>(and_mask.size());
  nftnl_expr_set_u32(e, NFTNL_EXPR_BITWISE_SREG, number(reg));
  nftnl_expr_set_u32(e, NFTNL_EXPR_BITWISE_DREG, number(reg));
  nftnl_expr_set_u32(e, NFTNL_EXPR_BITWISE_LEN, bytes);
  nftnl_expr_set_data(e, NFTNL_EXPR_BITWISE_MASK, and_mask.data(), bytes);
  nftnl_expr_set_data(e, NFTNL_EXPR_BITWISE_XOR, xor_value.data(), bytes);
  return add(e);
}

RuleBuilder& RuleBuilder::match_equal(Register reg, std::string_view bytes) {
  return add(compare(NFT_CMP_EQ, reg, bytes));
}
RuleBuilder& RuleBuilder::match_not_equal(Register reg, std::string_view bytes) {
  return add(compare(NFT_CMP_NEQ, reg, bytes));
}
RuleBuilder& RuleBuilder::match_in_set(const std::string& set, std::uint32_t set_id, Register key) {
  return add(lookup(set, set_id, key));
}
RuleBuilder& RuleBuilder::look_up(const std::string& map, std::uint32_t map_id, Register key,
                                  Register to) {
  nftnl_expr* e = lookup(map, map_id, key);
  nftnl_expr_set_u32(e, NFTNL_EXPR_LOOKUP_DREG, number(to));
  return add(e);
}
RuleBuilder& RuleBuilder::look_up_verdict(const std::string& map, std::uint32_t map_id,
                                          Register key) {
  nftnl_expr* e = lookup(map, map_id, key);
  nftnl_expr_set_u32(e, NFTNL_EXPR_LOOKUP_DREG, NFT_REG_VERDICT);
  return add(e);
}

RuleBuilder& RuleBuilder::refresh_in_set(const std::string& set, std::uint32_t set_id, Register key,
                                         std::uint64_t timeout_ms) {
  nftnl_expr* e = make("dynset");
  nftnl_expr_set_str(e, NFTNL_EXPR_DYNSET_SET_NAME, set.c_str());
  if (set_id != 0) nftnl_expr_set_u32(e, NFTNL_EXPR_DYNSET_SET_ID, set_id);
  nftnl_expr_set_u32(e, NFTNL_EXPR_DYNSET_OP, NFT_DYNSET_OP_UPDATE);
  nftnl_expr_set_u32(e, NFTNL_EXPR_DYNSET_SREG_KEY, number(key));
  nftnl_expr_set_u64(e, NFTNL_EXPR_DYNSET_TIMEOUT, timeout_ms);
  return add(e);
}

RuleBuilder& RuleBuilder::set_mark(Register from) {
  nftnl_expr* e = make("meta");
  nftnl_expr_set_u32(e, NFTNL_EXPR_META_KEY, NFT_META_MARK);
  nftnl_expr_set_u32(e, NFTNL_EXPR_META_SREG, number(from));
  return add(e);
}

RuleBuilder& RuleBuilder::destination_nat(Register address, Register port) {
  nftnl_expr* e = make("nat");
  nftnl_expr_set_u32(e, NFTNL_EXPR_NAT_TYPE, NFT_NAT_DNAT);
  nftnl_expr_set_u32(e, NFTNL_EXPR_NAT_FAMILY, NFPROTO_IPV4);
  nftnl_expr_set_u32(e, NFTNL_EXPR_NAT_REG_ADDR_MIN, number(address));
  nftnl_expr_set_u32(e, NFTNL_EXPR_NAT_REG_PROTO_MIN, number(port));
  return add(e);
}

RuleBuilder& RuleBuilder::masquerade() { return add(make("masq")); }

RuleBuilder& RuleBuilder::reject_with_reset() {
  nftnl_expr* e = make("reject");
  nftnl_expr_set_u32(e, NFTNL_EXPR_REJECT_TYPE, NFT_REJECT_TCP_RST);
  nftnl_expr_set_u8(e, NFTNL_EXPR_REJECT_CODE, 0);
  return add(e);
}

RuleBuilder& RuleBuilder::reject_port_unreachable() {
  constexpr std::uint8_t kIcmpPortUnreachable = 3;
  nftnl_expr* e = make("reject");
  nftnl_expr_set_u32(e, NFTNL_EXPR_REJECT_TYPE, NFT_REJECT_ICMP_UNREACH);
  nftnl_expr_set_u8(e, NFTNL_EXPR_REJECT_CODE, kIcmpPortUnreachable);
  return add(e);
}

RuleBuilder& RuleBuilder::drop() { return add(verdict(NF_DROP)); }
RuleBuilder& RuleBuilder::jump(const std::string& chain) { return add(verdict(NFT_JUMP, chain)); }
RuleBuilder& RuleBuilder::go_to(const std::string& chain) { return add(verdict(NFT_GOTO, chain)); }

RuleBuilder& RuleBuilder::comment(std::string_view text) {
  // nft's user data: type 0 (comment), length, text with a terminator.
  std::string data(2, '\0');
  data.append(text.substr(0, kCommentBytesMax));
  data += '\0';
  data[1] = static_cast<char>(data.size() - 2);
  nftnl_rule_set_data(rule_, NFTNL_RULE_USERDATA, data.data(),
                      static_cast<std::uint32_t>(data.size()));
  return *this;
}

}  // namespace skiff::net
