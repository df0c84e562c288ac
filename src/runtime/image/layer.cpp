#include "runtime/image/layer.h"

#include <skiff/base/strings.h>
#include <skiff/base/unique_fd.h>
#include <skiff/sys/files.h>

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <vector>

#include "runtime/image/sha256.h"
#include "runtime/limits.h"

namespace skiff::runtime {
namespace {

using base::concat;
using base::errno_status;
using base::invalid_argument;

constexpr std::string_view kWhiteoutPrefix = ".wh.";
constexpr std::string_view kOpaqueName = ".wh..wh..opq";
constexpr std::string_view kReservedPrefix = ".wh..wh.";
constexpr const char* kOpaqueAttribute = "trusted.overlay.opaque";

struct FreeArchive {
  void operator()(archive* a) const { archive_read_free(a); }
};
using ArchivePtr = std::unique_ptr<archive, FreeArchive>;

std::string archive_error(archive* a) {
  const char* text = archive_error_string(a);
  return text != nullptr ? text : "damaged archive";
}

// Two libarchive readers in a row: the first takes the compression away, the second reads the tar;
// what passes between them is counted and hashed.
class TarReader {
 public:
  TarReader(int fd, std::uint64_t bytes_max) : bytes_max_(bytes_max), buffer_(kArchiveBlockBytes) {
    outer_.reset(archive_read_new());
    archive_read_support_filter_gzip(outer_.get());
    archive_read_support_filter_zstd(outer_.get());
    archive_read_support_format_raw(outer_.get());
    archive_read_support_format_empty(outer_.get());
    inner_.reset(archive_read_new());
    archive_read_support_format_tar(inner_.get());
    archive_read_support_format_empty(inner_.get());
    fd_ = fd;
  }

  base::Status open() {
    archive_entry* entry = nullptr;
    if (archive_read_open_fd(outer_.get(), fd_, kArchiveBlockBytes) != ARCHIVE_OK)
      return invalid_argument(concat("not an archive: ", archive_error(outer_.get())));
    int got = archive_read_next_header(outer_.get(), &entry);
    if (got == ARCHIVE_EOF) ended_ = true;
    if (got != ARCHIVE_OK && got != ARCHIVE_EOF)
      return invalid_argument(concat("not an archive: ", archive_error(outer_.get())));
    if (archive_read_open(inner_.get(), this, nullptr, &TarReader::read_block, nullptr) !=
        ARCHIVE_OK)
      return failure();
    return {};
  }

  // nullptr at the end.
  base::Result<archive_entry*> next() {
    archive_entry* entry = nullptr;
    int got = archive_read_next_header(inner_.get(), &entry);
    if (got == ARCHIVE_EOF) return static_cast<archive_entry*>(nullptr);
    if (got < ARCHIVE_WARN) return failure();
    return entry;
  }

  archive* data() { return inner_.get(); }

  // What follows the tar's end is part of the digest.
  base::Result<std::string> finish() {
    const void* block = nullptr;
    while (!ended_)
      if (read_block(inner_.get(), this, &block) < 0) return failure();
    return "sha256:" + hash_.finish_hex();
  }

  base::Status failure() const {
    if (!error_.is_ok()) return error_;
    return invalid_argument(concat("bad archive: ", archive_error(inner_.get())));
  }

 private:
  static la_ssize_t read_block(archive* a, void* self_pointer, const void** block) {
    auto& self = *static_cast<TarReader*>(self_pointer);
    if (self.ended_) return 0;
    la_ssize_t n = archive_read_data(self.outer_.get(), self.buffer_.data(), self.buffer_.size());
    if (n < 0) {
      self.error_ = invalid_argument(concat("bad archive: ", archive_error(self.outer_.get())));
      self.ended_ = true;
      archive_set_error(a, EIO, "bad archive");
      return -1;
    }
    if (n == 0) {
      self.ended_ = true;
      return 0;
    }
    self.bytes_ += static_cast<std::uint64_t>(n);
    if (self.bytes_ > self.bytes_max_) {
      self.error_ = base::Status(base::Code::too_large,
                                 concat("archive is over ", self.bytes_max_, " bytes unpacked"));
      self.ended_ = true;
      archive_set_error(a, EFBIG, "archive is too large");
      return -1;
    }
    self.hash_.update({self.buffer_.data(), static_cast<std::size_t>(n)});
    *block = self.buffer_.data();
    return n;
  }

  ArchivePtr outer_, inner_;
  Sha256 hash_;
  std::uint64_t bytes_ = 0, bytes_max_;
  bool ended_ = false;
  base::Status error_;
  std::vector<char> buffer_;
  int fd_ = -1;
};

bool is_whiteout_at(int folder_fd, const std::string& name) {
  struct stat info {};
  return fstatat(folder_fd, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0 &&
         S_ISCHR(info.st_mode) && info.st_rdev == 0;
}

struct FolderTime {
  std::string path;
  timespec times[2];
};

class Unpacker {
 public:
  Unpacker(int root_fd, const UnpackOptions& options, TarReader& reader)
      : root_fd_(root_fd), options_(options), reader_(reader) {}

  base::Status unpack_all() {
    for (std::uint64_t count = 0;; ++count) {
      SKIFF_ASSIGN_OR_RETURN(archive_entry * entry, reader_.next());
      if (entry == nullptr) break;
      if (count >= options_.entries_max)
        return base::Status(base::Code::too_large,
                            concat("archive has over ", options_.entries_max, " entries"));
      const char* path = archive_entry_pathname(entry);
      if (path == nullptr) return invalid_argument("archive entry without a name");
      SKIFF_RETURN_IF_ERROR(unpack_entry(entry, path).with_context(path));
    }
    for (auto time = folder_times_.rbegin(); time != folder_times_.rend(); ++time) {
      auto fd = sys::open_in_root(root_fd_, time->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
      if (fd.is_ok()) futimens(fd->get(), time->times);
    }
    return {};
  }

  std::uint64_t bytes() const { return bytes_; }

 private:
  base::Status unpack_entry(archive_entry* entry, std::string path) {
    if (path.size() > kEntryPathBytesMax) return invalid_argument("path is too long");
    if (std::count(path.begin(), path.end(), '/') > kEntryDepthMax)
      return invalid_argument("path is too deep");
    while (!path.empty() && path.back() == '/') path.pop_back();
    while (base::starts_with(path, "./")) path.erase(0, 2);
    std::size_t slash = path.rfind('/');
    std::string folder = slash == std::string::npos ? "" : path.substr(0, slash);
    std::string name = slash == std::string::npos ? path : path.substr(slash + 1);
    if (path.empty() || path == "." || name == ".") return apply_root(entry);
    if (name == ".." || base::starts_with(path, "../") || path.find("/../") != std::string::npos)
      return invalid_argument("path has \"..\"");
    SKIFF_RETURN_IF_ERROR(enter(folder));
    int parent = parent_.get();
    if (options_.is_layer && base::starts_with(name, kWhiteoutPrefix))
      return whiteout(parent, name);
    if (archive_entry_hardlink(entry) != nullptr) return hard_link(entry, parent, name);
    return create(entry, parent, name, path);
  }

  // Opens the parent folder, making what is missing; the last one is kept open.
  base::Status enter(const std::string& folder) {
    if (parent_ && folder == parent_path_) return {};
    auto opened = sys::open_in_root(root_fd_, folder, O_RDONLY | O_DIRECTORY);
    if (opened.code() == base::Code::not_found) {
      SKIFF_RETURN_IF_ERROR(make_parents(folder));
      opened = sys::open_in_root(root_fd_, folder, O_RDONLY | O_DIRECTORY);
    }
    if (!opened.is_ok()) return opened.status();
    parent_ = std::move(*opened);
    parent_path_ = folder;
    return {};
  }

  base::Status make_parents(const std::string& folder) {
    for (std::size_t start = 0; start < folder.size();) {
      std::size_t end = std::min(folder.find('/', start), folder.size());
      std::string name = folder.substr(start, end - start);
      if (!name.empty() && name != ".") {
        SKIFF_ASSIGN_OR_RETURN(auto above, sys::open_in_root(root_fd_, folder.substr(0, start),
                                                             O_RDONLY | O_DIRECTORY));
        if (mkdirat(above.get(), name.c_str(), 0755) != 0 && errno != EEXIST)
          return errno_status(errno, "make folder");
      }
      start = end + 1;
    }
    return {};
  }

  base::Status whiteout(int parent, const std::string& name) {
    if (name == kOpaqueName) return set_opaque(parent);
    if (base::starts_with(name, kReservedPrefix)) return {};
    std::string hidden = name.substr(kWhiteoutPrefix.size());
    if (hidden.empty() || hidden == "." || hidden == "..") return invalid_argument("bad whiteout");
    if (mknodat(parent, hidden.c_str(), S_IFCHR, 0) == 0) return {};
    if (errno != EEXIST) return errno_status(errno, "whiteout");
    // The layer has that name itself; then only what lower layers have there is hidden.
    base::UniqueFd folder(
        openat(parent, hidden.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    return folder ? set_opaque(folder.get()) : base::Status();
  }

  static base::Status set_opaque(int folder_fd) {
    if (fsetxattr(folder_fd, kOpaqueAttribute, "y", 1, 0) != 0)
      return errno_status(errno, "mark opaque folder");
    return {};
  }

  base::Status hard_link(archive_entry* entry, int parent, const std::string& name) {
    SKIFF_ASSIGN_OR_RETURN(auto target, sys::open_in_root(root_fd_, archive_entry_hardlink(entry),
                                                          O_PATH | O_NOFOLLOW));
    struct stat info {};
    if (fstat(target.get(), &info) != 0 || S_ISDIR(info.st_mode))
      return invalid_argument("hard link to a folder");
    bool was_whiteout = false;
    SKIFF_RETURN_IF_ERROR(clear(parent, name, false, was_whiteout));
    if (linkat(target.get(), "", parent, name.c_str(), AT_EMPTY_PATH) != 0)
      return errno_status(errno, "hard link");
    return {};
  }

  // Takes away what an earlier entry made under this name; a folder stays for a folder.
  base::Status clear(int parent, const std::string& name, bool for_folder, bool& was_whiteout) {
    was_whiteout = is_whiteout_at(parent, name);
    struct stat info {};
    if (fstatat(parent, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) return {};
    if (S_ISDIR(info.st_mode)) {
      if (for_folder) return {};
      return sys::remove_tree(concat("/proc/self/fd/", parent, "/", name));
    }
    if (unlinkat(parent, name.c_str(), 0) != 0) return errno_status(errno, "replace");
    return {};
  }

  base::Status create(archive_entry* entry, int parent, const std::string& name,
                      const std::string& path) {
    auto type = archive_entry_filetype(entry);
    bool is_folder = type == AE_IFDIR, was_whiteout = false;
    SKIFF_RETURN_IF_ERROR(clear(parent, name, is_folder, was_whiteout));
    switch (type) {
      case AE_IFREG: return create_file(entry, parent, name);
      case AE_IFDIR: {
        if (mkdirat(parent, name.c_str(), 0755) != 0 && errno != EEXIST)
          return errno_status(errno, "make folder");
        base::UniqueFd fd(
            openat(parent, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
        if (!fd) return errno_status(errno, "open folder");
        if (was_whiteout) SKIFF_RETURN_IF_ERROR(set_opaque(fd.get()));
        remember_time(entry, path);
        return apply(entry, fd.get());
      }
      case AE_IFLNK: {
        const char* target = archive_entry_symlink(entry);
        if (target == nullptr || symlinkat(target, parent, name.c_str()) != 0)
          return errno_status(target == nullptr ? EINVAL : errno, "symbolic link");
        return apply_by_name(entry, parent, name, false);
      }
      case AE_IFCHR:
      case AE_IFBLK:
      case AE_IFIFO:
        if (!options_.is_layer) return {};
        if (mknodat(parent, name.c_str(), type | (archive_entry_perm(entry) & 0777),
                    type == AE_IFIFO ? 0 : archive_entry_rdev(entry)) != 0)
          return errno_status(errno, "make device");
        return apply_by_name(entry, parent, name, true);
      default: return {};  // sockets have no meaning in an image
    }
  }

  base::Status create_file(archive_entry* entry, int parent, const std::string& name) {
    base::UniqueFd fd(
        openat(parent, name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!fd) return errno_status(errno, "create");
    std::int64_t end = 0;
    for (;;) {
      const void* block = nullptr;
      std::size_t size = 0;
      la_int64_t offset = 0;
      int got = archive_read_data_block(reader_.data(), &block, &size, &offset);
      if (got == ARCHIVE_EOF) break;
      if (got < ARCHIVE_WARN) return reader_.failure();
      SKIFF_RETURN_IF_ERROR(write_block(fd.get(), block, size, offset));
      end = offset + static_cast<std::int64_t>(size);
    }
    // A hole at the end of a sparse file.
    std::int64_t size = archive_entry_size(entry);
    if (size > end && size <= static_cast<std::int64_t>(options_.bytes_max) &&
        ftruncate(fd.get(), size) != 0)
      return errno_status(errno, "resize");
    return apply(entry, fd.get());
  }

  base::Status write_block(int fd, const void* block, std::size_t size, la_int64_t offset) {
    bytes_ += size;
    if (bytes_ > options_.bytes_max || offset < 0 ||
        static_cast<std::uint64_t>(offset) > options_.bytes_max)
      return base::Status(base::Code::too_large, "file is too large");
    auto* data = static_cast<const char*>(block);
    while (size > 0) {
      ssize_t n = pwrite(fd, data, size, offset);
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return errno_status(errno, "write");
      data += n, offset += n, size -= static_cast<std::size_t>(n);
    }
    return {};
  }

  base::Status apply_root(archive_entry* entry) {
    return archive_entry_filetype(entry) == AE_IFDIR ? apply(entry, root_fd_) : base::Status();
  }

  base::Status apply(archive_entry* entry, int fd) {
    if (!options_.is_layer) return {};
    // Owner first: chown clears setuid.
    if (fchown(fd, static_cast<uid_t>(archive_entry_uid(entry)),
               static_cast<gid_t>(archive_entry_gid(entry))) != 0)
      return errno_status(errno, "set owner");
    if (fchmod(fd, archive_entry_perm(entry) & 07777) != 0) return errno_status(errno, "set mode");
    SKIFF_RETURN_IF_ERROR(apply_attributes(entry, fd));
    timespec times[2];
    times_of(entry, times);
    futimens(fd, times);
    return {};
  }

  base::Status apply_by_name(archive_entry* entry, int parent, const std::string& name,
                             bool with_mode) {
    if (!options_.is_layer) return {};
    if (fchownat(parent, name.c_str(), static_cast<uid_t>(archive_entry_uid(entry)),
                 static_cast<gid_t>(archive_entry_gid(entry)), AT_SYMLINK_NOFOLLOW) != 0)
      return errno_status(errno, "set owner");
    if (with_mode && fchmodat(parent, name.c_str(), archive_entry_perm(entry) & 07777, 0) != 0)
      return errno_status(errno, "set mode");
    timespec times[2];
    times_of(entry, times);
    utimensat(parent, name.c_str(), times, AT_SYMLINK_NOFOLLOW);
    return {};
  }

  // Only what has a meaning in a container: trusted.overlay.* from outside would forge layers.
  static base::Status apply_attributes(archive_entry* entry, int fd) {
    const char* name = nullptr;
    const void* value = nullptr;
    std::size_t size = 0;
    archive_entry_xattr_reset(entry);
    while (archive_entry_xattr_next(entry, &name, &value, &size) == ARCHIVE_OK) {
      std::string_view key = name != nullptr ? name : "";
      if (key != "security.capability" && !base::starts_with(key, "user.")) continue;
      if (size > kXattrBytesMax) return invalid_argument("extended attribute is too large");
      if (fsetxattr(fd, name, value, size, 0) != 0 && errno != ENOTSUP)
        return errno_status(errno, concat("set attribute ", key));
    }
    return {};
  }

  static void times_of(archive_entry* entry, timespec (&times)[2]) {
    times[1] = {static_cast<time_t>(archive_entry_mtime(entry)), archive_entry_mtime_nsec(entry)};
    times[0] = times[1];
  }

  void remember_time(archive_entry* entry, const std::string& path) {
    if (!options_.is_layer) return;
    FolderTime time{path, {}};
    times_of(entry, time.times);
    folder_times_.push_back(std::move(time));
  }

  int root_fd_;
  const UnpackOptions& options_;
  TarReader& reader_;
  base::UniqueFd parent_;
  std::string parent_path_;
  std::vector<FolderTime> folder_times_;
  std::uint64_t bytes_ = 0;
};

}  // namespace

base::Result<Unpacked> unpack_archive(int archive_fd, int root_fd, const UnpackOptions& options) {
  TarReader reader(archive_fd, options.bytes_max);
  SKIFF_RETURN_IF_ERROR(reader.open());
  Unpacker unpacker(root_fd, options, reader);
  SKIFF_RETURN_IF_ERROR(unpacker.unpack_all());
  SKIFF_ASSIGN_OR_RETURN(auto diff_id, reader.finish());
  return Unpacked{std::move(diff_id), unpacker.bytes()};
}

}  // namespace skiff::runtime
