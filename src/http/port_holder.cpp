// Who holds a TCP port: /proc/net/tcp names the socket, /proc/*/fd names the process.
#include <skiff/base/strings.h>

#include "http/listener.h"

#include <dirent.h>
#include <unistd.h>

#include <cstdio>
#include <memory>

namespace skiff::http {

namespace {

using File = std::unique_ptr<FILE, int (*)(FILE*)>;
using Folder = std::unique_ptr<DIR, int (*)(DIR*)>;

// The inode of the socket in state LISTEN; 0 when there is none.
unsigned long listening_inode(const char* table, std::uint16_t port) {
  File file(std::fopen(table, "re"), std::fclose);
  if (!file) return 0;
  char line[512];
  while (std::fgets(line, sizeof line, file.get()) != nullptr) {
    unsigned local_port = 0;
    unsigned state = 0;
    unsigned long inode = 0;
    int fields =
        std::sscanf(line, " %*d: %*[0-9A-Fa-f]:%x %*[0-9A-Fa-f]:%*x %x %*s %*s %*s %*d %*d %lu",
                    &local_port, &state, &inode);
    constexpr unsigned kListen = 10;
    if (fields == 3 && local_port == port && state == kListen) return inode;
  }
  return 0;
}

bool holds_socket(const std::string& pid, const std::string& socket_name) {
  std::string folder_name = base::concat("/proc/", pid, "/fd");
  Folder folder(::opendir(folder_name.c_str()), ::closedir);
  if (!folder) return false;
  while (const dirent* entry = ::readdir(folder.get())) {
    char target[64];
    std::string link = base::concat(folder_name, "/", static_cast<const char*>(entry->d_name));
    ssize_t size = ::readlink(link.c_str(), target, sizeof target);
    if (size > 0 && std::string_view(target, static_cast<std::size_t>(size)) == socket_name)
      return true;
  }
  return false;
}

}  // namespace

std::string describe_port_holder(std::uint16_t port) {
  unsigned long inode = listening_inode("/proc/net/tcp", port);
  if (inode == 0) inode = listening_inode("/proc/net/tcp6", port);
  if (inode == 0) return {};
  std::string socket_name = base::concat("socket:[", inode, "]");
  Folder folder(::opendir("/proc"), ::closedir);
  if (!folder) return {};
  while (const dirent* entry = ::readdir(folder.get())) {
    std::string pid = entry->d_name;
    if (!base::parse_int(pid) || !holds_socket(pid, socket_name)) continue;
    char name[64] = "";
    File comm(std::fopen(base::concat("/proc/", pid, "/comm").c_str(), "re"), std::fclose);
    if (comm && std::fgets(name, sizeof name, comm.get()) == nullptr) name[0] = '\0';
    return base::concat("process ", pid, " (", base::trim(name), ")");
  }
  return {};
}

}  // namespace skiff::http
