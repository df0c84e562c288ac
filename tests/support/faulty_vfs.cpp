#include "support/faulty_vfs.h"

#include <skiff/base/assert.h>
#include <skiff/base/strings.h>

#include <sqlite3.h>
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>

namespace skiff::test {

namespace {
constexpr std::size_t kSectorBytes = 512;
}

struct FaultyVfs::File {
  sqlite3_file head;
  FaultyVfs* owner;
  std::string* path;
  static File& of(sqlite3_file* file) { return *reinterpret_cast<File*>(file); }
};

struct FaultyVfs::Methods {
  static FaultyVfs& owner(sqlite3_vfs* vfs) { return *static_cast<FaultyVfs*>(vfs->pAppData); }

  static int open(sqlite3_vfs* vfs, const char* name, sqlite3_file* file, int flags, int* out);
  static int close(sqlite3_file* file) {
    delete File::of(file).path;
    return SQLITE_OK;
  }
  static int read(sqlite3_file* file, void* to, int bytes, sqlite3_int64 at) {
    File& self = File::of(file);
    if (self.owner->failing_reads) return SQLITE_IOERR_READ;
    std::lock_guard lock(self.owner->mutex_);
    const std::string& content = self.owner->files_[*self.path];
    auto wanted = static_cast<std::size_t>(bytes);
    auto from = std::min(static_cast<std::size_t>(at), content.size());
    std::size_t have = std::min(wanted, content.size() - from);
    std::memcpy(to, content.data() + from, have);
    if (have == wanted) return SQLITE_OK;
    std::memset(static_cast<char*>(to) + have, 0, wanted - have);
    return SQLITE_IOERR_SHORT_READ;
  }
  static int write(sqlite3_file* file, const void* from, int bytes, sqlite3_int64 at) {
    File& self = File::of(file);
    FaultyVfs& disk = *self.owner;
    if (disk.read_only) return SQLITE_IOERR_WRITE;
    std::lock_guard lock(disk.mutex_);
    std::string& content = disk.files_[*self.path];
    std::size_t end = static_cast<std::size_t>(at) + static_cast<std::size_t>(bytes);
    if (disk.bytes_max >= 0 && end > content.size()) {
      std::size_t used = end - content.size();
      for (const auto& entry : disk.files_) used += entry.second.size();
      if (used > static_cast<std::size_t>(disk.bytes_max.load())) return SQLITE_FULL;
    }
    Operation operation{
        Operation::Type::write, *self.path, at,
        std::string(static_cast<const char*>(from), static_cast<std::size_t>(bytes))};
    apply(operation, &content);
    disk.log_.push_back(std::move(operation));
    return SQLITE_OK;
  }
  static int truncate(sqlite3_file* file, sqlite3_int64 size) {
    File& self = File::of(file);
    if (self.owner->read_only) return SQLITE_IOERR_TRUNCATE;
    std::lock_guard lock(self.owner->mutex_);
    Operation operation{Operation::Type::truncate, *self.path, size, {}};
    apply(operation, &self.owner->files_[*self.path]);
    self.owner->log_.push_back(std::move(operation));
    return SQLITE_OK;
  }
  static int sync(sqlite3_file* file, int) {
    File& self = File::of(file);
    FaultyVfs& disk = *self.owner;
    if (std::int64_t delay = disk.sync_delay_ns; delay > 0) {
      timespec wait{delay / 1'000'000'000, delay % 1'000'000'000};
      nanosleep(&wait, nullptr);
    }
    std::lock_guard lock(disk.mutex_);
    bool fails = disk.failing_syncs > 0;
    if (fails) --disk.failing_syncs;
    auto type = fails ? Operation::Type::failed_sync : Operation::Type::sync;
    disk.log_.push_back({type, *self.path, 0, {}});
    return fails ? SQLITE_IOERR_FSYNC : SQLITE_OK;
  }
  static int file_size(sqlite3_file* file, sqlite3_int64* size) {
    File& self = File::of(file);
    std::lock_guard lock(self.owner->mutex_);
    *size = static_cast<sqlite3_int64>(self.owner->files_[*self.path].size());
    return SQLITE_OK;
  }
  static int lock(sqlite3_file*, int) { return SQLITE_OK; }
  static int check_lock(sqlite3_file*, int* out) {
    *out = 0;
    return SQLITE_OK;
  }
  static int control(sqlite3_file*, int, void*) { return SQLITE_NOTFOUND; }
  static int sector_size(sqlite3_file*) { return static_cast<int>(kSectorBytes); }
  static int traits(sqlite3_file*) { return SQLITE_IOCAP_POWERSAFE_OVERWRITE; }

  static int remove(sqlite3_vfs* vfs, const char* path, int) {
    FaultyVfs& disk = owner(vfs);
    std::lock_guard lock(disk.mutex_);
    if (disk.files_.erase(path) == 0) return SQLITE_IOERR_DELETE_NOENT;
    disk.log_.push_back({Operation::Type::remove, path, 0, {}});
    return SQLITE_OK;
  }
  static int access(sqlite3_vfs* vfs, const char* path, int, int* out) {
    FaultyVfs& disk = owner(vfs);
    std::lock_guard lock(disk.mutex_);
    *out = disk.files_.contains(path) ? 1 : 0;
    return SQLITE_OK;
  }
  static int full_path(sqlite3_vfs*, const char* path, int bytes, char* out) {
    sqlite3_snprintf(bytes, out, "%s", path);
    return SQLITE_OK;
  }
  static int last_error(sqlite3_vfs* vfs, int, char*) { return owner(vfs).read_only ? EROFS : EIO; }
};

int FaultyVfs::Methods::open(sqlite3_vfs* vfs, const char* name, sqlite3_file* file, int flags,
                             int* out) {
  static const sqlite3_io_methods kMethods = {1,       close,       read,    write,   truncate,
                                              sync,    file_size,   lock,    lock,    check_lock,
                                              control, sector_size, traits,  nullptr, nullptr,
                                              nullptr, nullptr,     nullptr, nullptr};
  FaultyVfs& disk = owner(vfs);
  SKIFF_ASSERT(name != nullptr);
  File& self = File::of(file);
  self.head.pMethods = nullptr;
  std::lock_guard lock(disk.mutex_);
  if (!disk.files_.contains(name)) {
    if ((flags & SQLITE_OPEN_CREATE) == 0 || disk.read_only) return SQLITE_CANTOPEN;
    disk.files_[name];
    disk.log_.push_back({Operation::Type::create, name, 0, {}});
  }
  self.owner = &disk;
  self.path = new std::string(name);
  self.head.pMethods = &kMethods;
  if (out != nullptr) *out = flags;
  return SQLITE_OK;
}

FaultyVfs::FaultyVfs(DiskImage image)
    : start_(std::move(image)), files_(start_), vfs_(std::make_unique<sqlite3_vfs>()) {
  static std::atomic<int> next_id = 1;
  name_ = base::concat("faulty-", next_id.fetch_add(1));
  sqlite3_vfs* real = sqlite3_vfs_find(nullptr);
  SKIFF_ASSERT(real != nullptr);
  *vfs_ = *real;  // time and randomness
  vfs_->iVersion = 2;
  vfs_->szOsFile = sizeof(File);
  vfs_->pNext = nullptr;
  vfs_->zName = name_.c_str();
  vfs_->pAppData = this;
  vfs_->xOpen = Methods::open;
  vfs_->xDelete = Methods::remove;
  vfs_->xAccess = Methods::access;
  vfs_->xFullPathname = Methods::full_path;
  vfs_->xGetLastError = Methods::last_error;
  SKIFF_ASSERT(sqlite3_vfs_register(vfs_.get(), 0) == SQLITE_OK);
}

FaultyVfs::~FaultyVfs() { sqlite3_vfs_unregister(vfs_.get()); }

std::size_t FaultyVfs::moment() const {
  std::lock_guard lock(mutex_);
  return log_.size();
}

std::vector<std::size_t> FaultyVfs::sync_moments() const {
  std::lock_guard lock(mutex_);
  std::vector<std::size_t> moments;
  for (std::size_t i = 0; i < log_.size(); ++i)
    if (log_[i].type == Operation::Type::sync) moments.push_back(i);
  return moments;
}

void FaultyVfs::apply(const Operation& operation, std::string* content) {
  auto at = static_cast<std::size_t>(operation.at);
  if (operation.type == Operation::Type::truncate) {
    content->resize(at);
  } else if (operation.type == Operation::Type::write) {
    if (content->size() < at + operation.bytes.size()) content->resize(at + operation.bytes.size());
    content->replace(at, operation.bytes.size(), operation.bytes);
  }
}

// Some of the sectors that the write touches.
void FaultyVfs::apply_part(const Operation& operation, base::Random& random,
                           std::string* content) const {
  if (operation.type != Operation::Type::write) {
    if (random.below(2) == 0) apply(operation, content);
    return;
  }
  std::uint64_t fate = random.below(3);
  if (fate == 0) return;
  if (fate == 1) return apply(operation, content);
  std::size_t done = 0;
  while (done < operation.bytes.size()) {
    std::size_t at = static_cast<std::size_t>(operation.at) + done;
    std::size_t length = std::min(kSectorBytes - at % kSectorBytes, operation.bytes.size() - done);
    if (random.below(2) == 0) {
      Operation sector{Operation::Type::write,
                       {},
                       static_cast<std::int64_t>(at),
                       operation.bytes.substr(done, length)};
      apply(sector, content);
    }
    done += length;
  }
}

DiskImage FaultyVfs::cut(std::size_t moment, Cut kind, base::Random& random) const {
  std::lock_guard lock(mutex_);
  SKIFF_ASSERT(moment <= log_.size());
  DiskImage image = start_;
  std::map<std::string, std::vector<const Operation*>> unsynced;
  auto settle = [&](const std::string& path) {
    for (const Operation* operation : unsynced[path]) apply(*operation, &image[path]);
    unsynced.erase(path);
  };
  for (std::size_t i = 0; i < moment; ++i) {
    const Operation& operation = log_[i];
    switch (operation.type) {
      case Operation::Type::sync: settle(operation.path); break;
      case Operation::Type::failed_sync:
        unsynced.erase(operation.path);  // the kernel forgets that these pages are dirty
        break;
      case Operation::Type::remove:
        image.erase(operation.path);
        unsynced.erase(operation.path);
        break;
      default: unsynced[operation.path].push_back(&operation);
    }
  }
  if (kind == Cut::nothing_unsynced) return image;
  for (const auto& [path, operations] : unsynced)
    for (const Operation* operation : operations) {
      if (kind == Cut::everything) {
        apply(*operation, &image[path]);
      } else {
        apply_part(*operation, random, &image[path]);
      }
    }
  return image;
}

}  // namespace skiff::test
