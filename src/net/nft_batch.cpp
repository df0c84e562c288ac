#include <arpa/inet.h>
#include <netinet/in.h>

#include "net/nft_batch.h"

#include <skiff/base/strings.h>

#include "net/limits.h"

#include <libmnl/libmnl.h>
#include <libnftnl/chain.h>
#include <libnftnl/common.h>
#include <libnftnl/rule.h>
#include <libnftnl/set.h>
#include <libnftnl/table.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include <cerrno>
#include <cstring>

namespace skiff::net {

namespace {

struct CloseSocket {
  void operator()(mnl_socket* socket) const { mnl_socket_close(socket); }
};
using Socket = std::unique_ptr<mnl_socket, CloseSocket>;

template <class T, void (*free_it)(const T*)>
struct Free {
  void operator()(T* object) const { free_it(object); }
};
using Table = std::unique_ptr<nftnl_table, Free<nftnl_table, nftnl_table_free>>;
using Chain = std::unique_ptr<nftnl_chain, Free<nftnl_chain, nftnl_chain_free>>;
using Set = std::unique_ptr<nftnl_set, Free<nftnl_set, nftnl_set_free>>;
using Rule = std::unique_ptr<nftnl_rule, Free<nftnl_rule, nftnl_rule_free>>;

base::Status kernel_status(int error) {
  if (error == EOPNOTSUPP || error == EPROTONOSUPPORT)
    return base::Status(base::Code::unimplemented,
                        "this kernel has no nftables (CONFIG_NF_TABLES), which Services need");
  return base::errno_status(error, "change packet rules");
}

// Reads one answer for each message that asked for one; the first error counts.
base::Status read_answers(mnl_socket* socket, std::uint32_t messages) {
  std::string page(kBatchPageBytes, '\0');
  int first_error = 0;
  std::uint32_t answered = 0;
  while (answered < messages) {
    ssize_t size = mnl_socket_recvfrom(socket, page.data(), page.size());
    if (size < 0) return base::errno_status(errno, "read the answer about packet rules");
    int left = static_cast<int>(size);
    for (auto* header = reinterpret_cast<const nlmsghdr*>(page.data()); mnl_nlmsg_ok(header, left);
         header = mnl_nlmsg_next(header, &left)) {
      if (header->nlmsg_type != NLMSG_ERROR) continue;
      auto* answer = static_cast<const nlmsgerr*>(mnl_nlmsg_get_payload(header));
      if (answer->error != 0 && first_error == 0) first_error = -answer->error;
      // A batch that is refused as a whole is answered by its begin message alone.
      if (answer->msg.nlmsg_type == NFNL_MSG_BATCH_BEGIN && answer->error != 0)
        return kernel_status(first_error);
      if (answer->msg.nlmsg_type != NFNL_MSG_BATCH_BEGIN) ++answered;
    }
  }
  return first_error == 0 ? base::Status::ok() : kernel_status(first_error);
}

}  // namespace

struct NftBatch::Buffer {
  std::string bytes;
  char page[kBatchPageBytes];

  char* next() { return page; }
  void take(const nlmsghdr* header) { bytes.append(page, MNL_ALIGN(header->nlmsg_len)); }
};

NftBatch::NftBatch(std::string table)
    : table_(std::move(table)), buffer_(std::make_unique<Buffer>()) {
  nlmsghdr* header = nftnl_batch_begin(buffer_->next(), sequence_++);
  buffer_->take(header);
}
NftBatch::~NftBatch() = default;

template <class Build>
void NftBatch::message(std::uint16_t type, std::uint16_t flags, Build build) {
  if (buffer_->bytes.size() > kBatchBytesMax) {
    too_large_ = true;
    return;
  }
  nlmsghdr* header =
      nftnl_nlmsg_build_hdr(buffer_->next(), type, NFPROTO_IPV4,
                            static_cast<std::uint16_t>(flags | NLM_F_ACK), sequence_++);
  build(header);
  buffer_->take(header);
  ++messages_;
}

void NftBatch::add_table() {
  Table table(nftnl_table_alloc());
  nftnl_table_set_str(table.get(), NFTNL_TABLE_NAME, table_.c_str());
  message(NFT_MSG_NEWTABLE, NLM_F_CREATE,
          [&](nlmsghdr* header) { nftnl_table_nlmsg_build_payload(header, table.get()); });
}

void NftBatch::delete_table() {
  Table table(nftnl_table_alloc());
  nftnl_table_set_str(table.get(), NFTNL_TABLE_NAME, table_.c_str());
  message(NFT_MSG_DELTABLE, 0,
          [&](nlmsghdr* header) { nftnl_table_nlmsg_build_payload(header, table.get()); });
}

void NftBatch::add_chain(const std::string& name, const BaseChain& base) {
  Chain chain(nftnl_chain_alloc());
  nftnl_chain_set_str(chain.get(), NFTNL_CHAIN_TABLE, table_.c_str());
  nftnl_chain_set_str(chain.get(), NFTNL_CHAIN_NAME, name.c_str());
  if (base.type != nullptr) {
    nftnl_chain_set_str(chain.get(), NFTNL_CHAIN_TYPE, base.type);
    nftnl_chain_set_u32(chain.get(), NFTNL_CHAIN_HOOKNUM, base.hook);
    nftnl_chain_set_s32(chain.get(), NFTNL_CHAIN_PRIO, base.priority);
    nftnl_chain_set_u32(chain.get(), NFTNL_CHAIN_POLICY, NF_ACCEPT);
  }
  message(NFT_MSG_NEWCHAIN, NLM_F_CREATE,
          [&](nlmsghdr* header) { nftnl_chain_nlmsg_build_payload(header, chain.get()); });
}

void NftBatch::flush_chain(const std::string& name) {
  Rule all(nftnl_rule_alloc());  // a rule without a handle: every rule of the chain
  nftnl_rule_set_str(all.get(), NFTNL_RULE_TABLE, table_.c_str());
  nftnl_rule_set_str(all.get(), NFTNL_RULE_CHAIN, name.c_str());
  message(NFT_MSG_DELRULE, 0,
          [&](nlmsghdr* header) { nftnl_rule_nlmsg_build_payload(header, all.get()); });
}

void NftBatch::delete_chain(const std::string& name) {
  Chain chain(nftnl_chain_alloc());
  nftnl_chain_set_str(chain.get(), NFTNL_CHAIN_TABLE, table_.c_str());
  nftnl_chain_set_str(chain.get(), NFTNL_CHAIN_NAME, name.c_str());
  message(NFT_MSG_DELCHAIN, 0,
          [&](nlmsghdr* header) { nftnl_chain_nlmsg_build_payload(header, chain.get()); });
}

void NftBatch::add_set(const SetOptions& options) {
  Set set(nftnl_set_alloc());
  std::uint32_t flags = 0;
  if (options.is_map) flags |= NFT_SET_MAP;
  if (options.is_anonymous) flags |= NFT_SET_ANONYMOUS | NFT_SET_CONSTANT;
  if (options.timeout_ms > 0) flags |= NFT_SET_TIMEOUT | NFT_SET_EVAL;
  nftnl_set_set_str(set.get(), NFTNL_SET_TABLE, table_.c_str());
  nftnl_set_set_str(set.get(), NFTNL_SET_NAME, options.name.c_str());
  nftnl_set_set_u32(set.get(), NFTNL_SET_FAMILY, NFPROTO_IPV4);
  nftnl_set_set_u32(set.get(), NFTNL_SET_ID, options.id);
  nftnl_set_set_u32(set.get(), NFTNL_SET_FLAGS, flags);
  nftnl_set_set_u32(set.get(), NFTNL_SET_KEY_TYPE, options.key_type);
  nftnl_set_set_u32(set.get(), NFTNL_SET_KEY_LEN, options.key_bytes);
  if (options.is_map) {
    nftnl_set_set_u32(set.get(), NFTNL_SET_DATA_TYPE, options.data_type);
    nftnl_set_set_u32(
        set.get(), NFTNL_SET_DATA_LEN,
        options.data_type == kTypeVerdict ? sizeof(std::uint32_t) : options.data_bytes);
  }
  if (options.timeout_ms > 0) nftnl_set_set_u64(set.get(), NFTNL_SET_TIMEOUT, options.timeout_ms);
  message(NFT_MSG_NEWSET, NLM_F_CREATE,
          [&](nlmsghdr* header) { nftnl_set_nlmsg_build_payload(header, set.get()); });
}

void NftBatch::delete_set(const std::string& name) {
  Set set(nftnl_set_alloc());
  nftnl_set_set_str(set.get(), NFTNL_SET_TABLE, table_.c_str());
  nftnl_set_set_str(set.get(), NFTNL_SET_NAME, name.c_str());
  message(NFT_MSG_DELSET, 0,
          [&](nlmsghdr* header) { nftnl_set_nlmsg_build_payload(header, set.get()); });
}

void NftBatch::elements(std::uint16_t type, const std::string& name, std::uint32_t set_id,
                        const std::vector<SetElement>& elements) {
  // A message has 64 KB at most; an element takes about 100 bytes.
  constexpr std::size_t kElementsPerMessage = 256;
  for (std::size_t start = 0; start < elements.size(); start += kElementsPerMessage) {
    Set set(nftnl_set_alloc());
    nftnl_set_set_str(set.get(), NFTNL_SET_TABLE, table_.c_str());
    nftnl_set_set_str(set.get(), NFTNL_SET_NAME, name.c_str());
    if (set_id != 0) nftnl_set_set_u32(set.get(), NFTNL_SET_ID, set_id);
    std::size_t end = std::min(start + kElementsPerMessage, elements.size());
    for (std::size_t i = start; i < end; ++i) {
      const SetElement& element = elements[i];
      nftnl_set_elem* added = nftnl_set_elem_alloc();  // owned by the set
      nftnl_set_elem_set(added, NFTNL_SET_ELEM_KEY, element.key.data(),
                         static_cast<std::uint32_t>(element.key.size()));
      if (!element.data.empty())
        nftnl_set_elem_set(added, NFTNL_SET_ELEM_DATA, element.data.data(),
                           static_cast<std::uint32_t>(element.data.size()));
      if (!element.chain.empty()) {
        nftnl_set_elem_set_u32(added, NFTNL_SET_ELEM_VERDICT, static_cast<std::uint32_t>(NFT_GOTO));
        nftnl_set_elem_set_str(added, NFTNL_SET_ELEM_CHAIN, element.chain.c_str());
      }
      nftnl_set_elem_add(set.get(), added);
    }
    const std::uint16_t flags = type == NFT_MSG_NEWSETELEM ? NLM_F_CREATE : 0;
    message(type, flags,
            [&](nlmsghdr* header) { nftnl_set_elems_nlmsg_build_payload(header, set.get()); });
  }
}

void NftBatch::add_elements(const std::string& set, std::uint32_t set_id,
                            const std::vector<SetElement>& added) {
  elements(NFT_MSG_NEWSETELEM, set, set_id, added);
}
void NftBatch::delete_elements(const std::string& set, const std::vector<SetElement>& gone) {
  elements(NFT_MSG_DELSETELEM, set, 0, gone);
}

void NftBatch::add_rule(const RuleBuilder& rule) {
  message(NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND,
          [&](nlmsghdr* header) { nftnl_rule_nlmsg_build_payload(header, rule.get()); });
}

base::Status NftBatch::commit() {
  if (too_large_)
    return base::Status(base::Code::too_large, "the packet rules do not fit in one transaction");
  nlmsghdr* end = nftnl_batch_end(buffer_->next(), sequence_++);
  buffer_->take(end);
  Socket socket(mnl_socket_open(NETLINK_NETFILTER));
  if (!socket) return kernel_status(errno);
  if (mnl_socket_bind(socket.get(), 0, MNL_SOCKET_AUTOPID) < 0)
    return base::errno_status(errno, "bind a netfilter socket");
  // The batch must be sent with one call; the answers to all of it wait in the receive buffer.
  int bytes = static_cast<int>(buffer_->bytes.size()) + 4096;
  int descriptor = mnl_socket_get_fd(socket.get());
  setsockopt(descriptor, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof bytes);
  int answers = static_cast<int>(messages_) * 1024 + 65536;
  setsockopt(descriptor, SOL_SOCKET, SO_RCVBUFFORCE, &answers, sizeof answers);
  if (mnl_socket_sendto(socket.get(), buffer_->bytes.data(), buffer_->bytes.size()) < 0)
    return base::errno_status(errno, "send packet rules to the kernel");
  return read_answers(socket.get(), static_cast<std::uint32_t>(messages_));
}

}  // namespace skiff::net
