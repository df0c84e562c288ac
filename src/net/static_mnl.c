/* The part of libmnl's interface that libnftnl and src/net call, for the static release binary.
 *
 * Debian ships libmnl only as a shared library and its source package cannot be had everywhere,
 * while what is needed of it is arithmetic on netlink attributes (RFC 3549, linux/netlink.h) and
 * three system calls. Declarations come from <libmnl/libmnl.h>; dynamic builds link the real one.
 * Pure but for mnl_socket_*. Thread-compatible. */
#include <libmnl/libmnl.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct mnl_socket {
  int fd;
  struct sockaddr_nl address;
};

/* --- sockets */

static struct mnl_socket* open_socket(int bus, int flags) {
  struct mnl_socket* socket_ = calloc(1, sizeof *socket_);
  if (socket_ == NULL) return NULL;
  socket_->fd = socket(AF_NETLINK, SOCK_RAW | flags, bus);
  if (socket_->fd < 0) {
    free(socket_);
    return NULL;
  }
  return socket_;
}

struct mnl_socket* mnl_socket_open(int bus) {
  return open_socket(bus, 0);
}
struct mnl_socket* mnl_socket_open2(int bus, int flags) {
  return open_socket(bus, flags);
}
int mnl_socket_get_fd(const struct mnl_socket* nl) { return nl->fd; }
unsigned int mnl_socket_get_portid(const struct mnl_socket* nl) { return nl->address.nl_pid; }

int mnl_socket_bind(struct mnl_socket* nl, unsigned int groups, pid_t pid) {
  nl->address.nl_family = AF_NETLINK;
  nl->address.nl_groups = groups;
  nl->address.nl_pid = (unsigned int)pid;
  if (bind(nl->fd, (struct sockaddr*)&nl->address, sizeof nl->address) < 0) return -1;
  socklen_t size = sizeof nl->address;
  return getsockname(nl->fd, (struct sockaddr*)&nl->address, &size);
}

int mnl_socket_setsockopt(const struct mnl_socket* nl, int type, void* buffer, socklen_t size) {
  return setsockopt(nl->fd, SOL_NETLINK, type, buffer, size);
}

ssize_t mnl_socket_sendto(const struct mnl_socket* nl, const void* buffer, size_t size) {
  static const struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
  return sendto(nl->fd, buffer, size, 0, (const struct sockaddr*)&kernel, sizeof kernel);
}

ssize_t mnl_socket_recvfrom(const struct mnl_socket* nl, void* buffer, size_t size) {
  struct sockaddr_nl sender;
  struct iovec part = {.iov_base = buffer, .iov_len = size};
  struct msghdr message = {
      .msg_name = &sender, .msg_namelen = sizeof sender, .msg_iov = &part, .msg_iovlen = 1};
  ssize_t received = recvmsg(nl->fd, &message, 0);
  if (received < 0) return -1;
  if (message.msg_flags & MSG_TRUNC) {
    errno = ENOSPC;
    return -1;
  }
  if (message.msg_namelen != sizeof sender) {
    errno = EINVAL;
    return -1;
  }
  return received;
}

int mnl_socket_close(struct mnl_socket* nl) {
  int result = close(nl->fd);
  free(nl);
  return result;
}

/* --- messages */

size_t mnl_nlmsg_size(size_t size) { return size + MNL_NLMSG_HDRLEN; }
size_t mnl_nlmsg_get_payload_len(const struct nlmsghdr* nlh) {
  return nlh->nlmsg_len - MNL_NLMSG_HDRLEN;
}
void* mnl_nlmsg_get_payload(const struct nlmsghdr* nlh) { return (char*)nlh + MNL_NLMSG_HDRLEN; }
void* mnl_nlmsg_get_payload_offset(const struct nlmsghdr* nlh, size_t offset) {
  return (char*)nlh + MNL_NLMSG_HDRLEN + MNL_ALIGN(offset);
}
void* mnl_nlmsg_get_payload_tail(const struct nlmsghdr* nlh) {
  return (char*)nlh + MNL_ALIGN(nlh->nlmsg_len);
}

struct nlmsghdr* mnl_nlmsg_put_header(void* buffer) {
  struct nlmsghdr* nlh = buffer;
  memset(nlh, 0, MNL_ALIGN(sizeof *nlh));
  nlh->nlmsg_len = MNL_ALIGN(sizeof *nlh);
  return nlh;
}

void* mnl_nlmsg_put_extra_header(struct nlmsghdr* nlh, size_t size) {
  char* header = mnl_nlmsg_get_payload_tail(nlh);
  nlh->nlmsg_len += MNL_ALIGN(size);
  memset(header, 0, MNL_ALIGN(size));
  return header;
}

bool mnl_nlmsg_ok(const struct nlmsghdr* nlh, int size) {
  return size >= (int)sizeof *nlh && nlh->nlmsg_len >= sizeof *nlh && (int)nlh->nlmsg_len <= size;
}
struct nlmsghdr* mnl_nlmsg_next(const struct nlmsghdr* nlh, int* size) {
  *size -= (int)MNL_ALIGN(nlh->nlmsg_len);
  return (struct nlmsghdr*)((char*)nlh + MNL_ALIGN(nlh->nlmsg_len));
}
bool mnl_nlmsg_seq_ok(const struct nlmsghdr* nlh, unsigned int seq) {
  return nlh->nlmsg_seq == 0 || seq == 0 || nlh->nlmsg_seq == seq;
}
bool mnl_nlmsg_portid_ok(const struct nlmsghdr* nlh, unsigned int portid) {
  return nlh->nlmsg_pid == 0 || portid == 0 || nlh->nlmsg_pid == portid;
}

/* --- attributes */

uint16_t mnl_attr_get_type(const struct nlattr* attr) { return attr->nla_type & NLA_TYPE_MASK; }
uint16_t mnl_attr_get_len(const struct nlattr* attr) { return attr->nla_len; }
uint16_t mnl_attr_get_payload_len(const struct nlattr* attr) {
  return attr->nla_len - MNL_ATTR_HDRLEN;
}
void* mnl_attr_get_payload(const struct nlattr* attr) { return (char*)attr + MNL_ATTR_HDRLEN; }
bool mnl_attr_ok(const struct nlattr* attr, int size) {
  return size >= (int)sizeof *attr && attr->nla_len >= sizeof *attr && (int)attr->nla_len <= size;
}
struct nlattr* mnl_attr_next(const struct nlattr* attr) {
  return (struct nlattr*)((char*)attr + MNL_ALIGN(attr->nla_len));
}

int mnl_attr_type_valid(const struct nlattr* attr, uint16_t max) {
  if (mnl_attr_get_type(attr) > max) {
    errno = EOPNOTSUPP;
    return -1;
  }
  return 1;
}

static int refuse(int error) {
  errno = error;
  return -1;
}

int mnl_attr_validate(const struct nlattr* attr, enum mnl_attr_data_type type) {
  static const uint16_t sizes[MNL_TYPE_MAX] = {[MNL_TYPE_U8] = 1,
                                               [MNL_TYPE_U16] = 2,
                                               [MNL_TYPE_U32] = 4,
                                               [MNL_TYPE_U64] = 8,
                                               [MNL_TYPE_MSECS] = 8};
  if (type >= MNL_TYPE_MAX) return refuse(EINVAL);
  uint16_t size = mnl_attr_get_payload_len(attr);
  const char* text = mnl_attr_get_payload(attr);
  switch (type) {
    case MNL_TYPE_FLAG: return size == 0 ? 0 : refuse(ERANGE);
    case MNL_TYPE_STRING: return size > 0 ? 0 : refuse(ERANGE);
    case MNL_TYPE_NUL_STRING:
      if (size == 0) return refuse(ERANGE);
      return text[size - 1] == '\0' ? 0 : refuse(EINVAL);
    case MNL_TYPE_NESTED: return size == 0 || size >= MNL_ATTR_HDRLEN ? 0 : refuse(ERANGE);
    default: return sizes[type] == 0 || size == sizes[type] ? 0 : refuse(ERANGE);
  }
}

static int parse_attributes(const char* start, int size, mnl_attr_cb_t callback, void* data) {
  int result = MNL_CB_OK;
  const struct nlattr* attr = (const struct nlattr*)start;
  while (mnl_attr_ok(attr, size)) {
    result = callback(attr, data);
    if (result <= MNL_CB_STOP) return result;
    size -= (int)MNL_ALIGN(attr->nla_len);
    attr = mnl_attr_next(attr);
  }
  return result;
}

int mnl_attr_parse(const struct nlmsghdr* nlh, unsigned int offset, mnl_attr_cb_t cb, void* data) {
  const char* start = mnl_nlmsg_get_payload_offset(nlh, offset);
  const char* end = mnl_nlmsg_get_payload_tail(nlh);
  return parse_attributes(start, (int)(end - start), cb, data);
}
int mnl_attr_parse_nested(const struct nlattr* nested, mnl_attr_cb_t cb, void* data) {
  return parse_attributes(mnl_attr_get_payload(nested), mnl_attr_get_payload_len(nested), cb, data);
}

uint8_t mnl_attr_get_u8(const struct nlattr* attr) { return *(uint8_t*)mnl_attr_get_payload(attr); }
uint16_t mnl_attr_get_u16(const struct nlattr* attr) {
  uint16_t value;
  memcpy(&value, mnl_attr_get_payload(attr), sizeof value);
  return value;
}
uint32_t mnl_attr_get_u32(const struct nlattr* attr) {
  uint32_t value;
  memcpy(&value, mnl_attr_get_payload(attr), sizeof value);
  return value;
}
uint64_t mnl_attr_get_u64(const struct nlattr* attr) {
  uint64_t value;
  memcpy(&value, mnl_attr_get_payload(attr), sizeof value);
  return value;
}
const char* mnl_attr_get_str(const struct nlattr* attr) { return mnl_attr_get_payload(attr); }

void mnl_attr_put(struct nlmsghdr* nlh, uint16_t type, size_t size, const void* data) {
  struct nlattr* attr = mnl_nlmsg_get_payload_tail(nlh);
  uint16_t payload = (uint16_t)(MNL_ALIGN(sizeof *attr) + size);
  attr->nla_type = type;
  attr->nla_len = payload;
  if (size > 0) memcpy(mnl_attr_get_payload(attr), data, size);
  size_t padding = MNL_ALIGN(size) - size;
  if (padding > 0) memset((char*)mnl_attr_get_payload(attr) + size, 0, padding);
  nlh->nlmsg_len += MNL_ALIGN(payload);
}
void mnl_attr_put_u8(struct nlmsghdr* nlh, uint16_t type, uint8_t data) {
  mnl_attr_put(nlh, type, sizeof data, &data);
}
void mnl_attr_put_u16(struct nlmsghdr* nlh, uint16_t type, uint16_t data) {
  mnl_attr_put(nlh, type, sizeof data, &data);
}
void mnl_attr_put_u32(struct nlmsghdr* nlh, uint16_t type, uint32_t data) {
  mnl_attr_put(nlh, type, sizeof data, &data);
}
void mnl_attr_put_u64(struct nlmsghdr* nlh, uint16_t type, uint64_t data) {
  mnl_attr_put(nlh, type, sizeof data, &data);
}
void mnl_attr_put_str(struct nlmsghdr* nlh, uint16_t type, const char* data) {
  mnl_attr_put(nlh, type, strlen(data), data);
}
void mnl_attr_put_strz(struct nlmsghdr* nlh, uint16_t type, const char* data) {
  mnl_attr_put(nlh, type, strlen(data) + 1, data);
}

struct nlattr* mnl_attr_nest_start(struct nlmsghdr* nlh, uint16_t type) {
  struct nlattr* start = mnl_nlmsg_get_payload_tail(nlh);
  start->nla_type = NLA_F_NESTED | type;
  nlh->nlmsg_len += MNL_ALIGN(sizeof *start);
  return start;
}
void mnl_attr_nest_end(struct nlmsghdr* nlh, struct nlattr* start) {
  start->nla_len = (uint16_t)((char*)mnl_nlmsg_get_payload_tail(nlh) - (char*)start);
}
void mnl_attr_nest_cancel(struct nlmsghdr* nlh, struct nlattr* start) {
  nlh->nlmsg_len -= (uint32_t)((char*)mnl_nlmsg_get_payload_tail(nlh) - (char*)start);
}

/* --- batches: messages one after the other in the caller's buffer */

struct mnl_nlmsg_batch {
  char* buffer;
  size_t limit, used;
  char* current;
  bool overflow;
};

struct mnl_nlmsg_batch* mnl_nlmsg_batch_start(void* buffer, size_t size) {
  struct mnl_nlmsg_batch* batch = calloc(1, sizeof *batch);
  if (batch == NULL) return NULL;
  batch->buffer = batch->current = buffer;
  batch->limit = size;
  return batch;
}
void mnl_nlmsg_batch_stop(struct mnl_nlmsg_batch* b) { free(b); }
bool mnl_nlmsg_batch_next(struct mnl_nlmsg_batch* b) {
  const struct nlmsghdr* nlh = (const struct nlmsghdr*)b->current;
  if (b->used + nlh->nlmsg_len > b->limit) {
    b->overflow = true;
    return false;
  }
  b->current += nlh->nlmsg_len;
  b->used += nlh->nlmsg_len;
  return true;
}
void mnl_nlmsg_batch_reset(struct mnl_nlmsg_batch* b) {
  if (b->overflow) {
    const struct nlmsghdr* nlh = (const struct nlmsghdr*)b->current;
    memmove(b->buffer, b->current, nlh->nlmsg_len);
    b->used = nlh->nlmsg_len;
    b->overflow = false;
  } else {
    b->used = 0;
  }
  b->current = b->buffer + b->used;
}
size_t mnl_nlmsg_batch_size(struct mnl_nlmsg_batch* b) { return b->used; }
void* mnl_nlmsg_batch_head(struct mnl_nlmsg_batch* b) { return b->buffer; }
void* mnl_nlmsg_batch_current(struct mnl_nlmsg_batch* b) { return b->current; }
bool mnl_nlmsg_batch_is_empty(struct mnl_nlmsg_batch* b) { return b->used == 0; }

/* --- answers */

static int control_message(const struct nlmsghdr* nlh) {
  if (nlh->nlmsg_type == NLMSG_DONE) return MNL_CB_STOP;
  if (nlh->nlmsg_type != NLMSG_ERROR) return MNL_CB_OK;
  const struct nlmsgerr* error = mnl_nlmsg_get_payload(nlh);
  if (nlh->nlmsg_len < mnl_nlmsg_size(sizeof *error)) return refuse(EBADMSG);
  errno = error->error < 0 ? -error->error : error->error;
  return error->error == 0 ? MNL_CB_STOP : MNL_CB_ERROR;
}

int mnl_cb_run(const void* buffer, size_t size, unsigned int seq, unsigned int portid,
               mnl_cb_t callback, void* data) {
  int result = MNL_CB_OK, left = (int)size;
  const struct nlmsghdr* nlh = buffer;
  while (mnl_nlmsg_ok(nlh, left)) {
    if (!mnl_nlmsg_portid_ok(nlh, portid)) return refuse(ESRCH);
    if (!mnl_nlmsg_seq_ok(nlh, seq)) return refuse(EPROTO);
    if (nlh->nlmsg_flags & NLM_F_DUMP_INTR) return refuse(EINTR);
    if (nlh->nlmsg_type < NLMSG_MIN_TYPE)
      result = control_message(nlh);
    else if (callback != NULL)
      result = callback(nlh, data);
    if (result <= MNL_CB_STOP) return result;
    nlh = mnl_nlmsg_next(nlh, &left);
  }
  return result;
}
