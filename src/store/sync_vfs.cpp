#include "store/sync_vfs.h"

#include <skiff/base/strings.h>

#include <sqlite3.h>

#include <new>

namespace skiff::store {

// What SQLite allocates for a file of ours; the base VFS's own file stands behind it.
struct SyncVfs::File {
  sqlite3_file head;
  SyncVfs* owner;
  bool is_log;
  // Nothing was changed since the last good sync. Not so at first: a process that crashed may have
  // left what it had not synced.
  bool is_synced;
  sqlite3_file* real() { return reinterpret_cast<sqlite3_file*>(this + 1); }
  static File* of(sqlite3_file* file) { return reinterpret_cast<File*>(file); }
};

struct SyncVfs::Methods {
  static SyncVfs* owner(sqlite3_vfs* vfs) { return static_cast<SyncVfs*>(vfs->pAppData); }
  static sqlite3_file* real(sqlite3_file* file) { return File::of(file)->real(); }

  static int open(sqlite3_vfs* vfs, const char* name, sqlite3_file* file, int flags,
                  int* out_flags);
  static int close(sqlite3_file* file) {
    return real(file)->pMethods == nullptr ? SQLITE_OK : real(file)->pMethods->xClose(real(file));
  }
  static int read(sqlite3_file* file, void* to, int bytes, sqlite3_int64 at) {
    return real(file)->pMethods->xRead(real(file), to, bytes, at);
  }
  static int write(sqlite3_file* file, const void* from, int bytes, sqlite3_int64 at) {
    File& self = *File::of(file);
    SyncVfs& owner = *self.owner;
    self.is_synced = false;
    if (self.is_log && (owner.unsynced_from_ < 0 || at < owner.unsynced_from_))
      owner.unsynced_from_ = at;
    int rc = real(file)->pMethods->xWrite(real(file), from, bytes, at);
    if (rc == SQLITE_OK) {
      owner.bytes_written_.fetch_add(static_cast<std::uint64_t>(bytes), std::memory_order_relaxed);
    } else if (owner.base_->xGetLastError != nullptr) {
      owner.write_errno_ = owner.base_->xGetLastError(owner.base_, 0, nullptr);
    }
    return rc;
  }
  static int truncate(sqlite3_file* file, sqlite3_int64 size) {
    File::of(file)->is_synced = false;
    return real(file)->pMethods->xTruncate(real(file), size);
  }
  static int sync(sqlite3_file* file, int flags) {
    File& self = *File::of(file);
    // SQLite syncs the log before it copies it, though each commit has done so.
    if (self.is_log && self.is_synced) return SQLITE_OK;
    int rc = real(file)->pMethods->xSync(real(file), flags);
    self.is_synced = rc == SQLITE_OK;
    if (self.is_log) self.owner->log_syncs_.fetch_add(1, std::memory_order_relaxed);
    if (rc != SQLITE_OK) {
      self.owner->sync_failed_ = true;
    } else if (self.is_log) {
      self.owner->unsynced_from_ = -1;
    }
    return rc;
  }
  static int file_size(sqlite3_file* file, sqlite3_int64* size) {
    return real(file)->pMethods->xFileSize(real(file), size);
  }
  static int lock(sqlite3_file* file, int level) {
    return real(file)->pMethods->xLock(real(file), level);
  }
  static int unlock(sqlite3_file* file, int level) {
    return real(file)->pMethods->xUnlock(real(file), level);
  }
  static int check_lock(sqlite3_file* file, int* out) {
    return real(file)->pMethods->xCheckReservedLock(real(file), out);
  }
  static int control(sqlite3_file* file, int op, void* argument) {
    return real(file)->pMethods->xFileControl(real(file), op, argument);
  }
  static int sector_size(sqlite3_file* file) {
    return real(file)->pMethods->xSectorSize(real(file));
  }
  static int traits(sqlite3_file* file) {
    return real(file)->pMethods->xDeviceCharacteristics(real(file));
  }
};

int SyncVfs::Methods::open(sqlite3_vfs* vfs, const char* name, sqlite3_file* file, int flags,
                           int* out_flags) {
  // Version 1: no shared memory, no mapping. We are the only one who opens the database.
  static const sqlite3_io_methods kMethods = {1,       close,       read,    write,   truncate,
                                              sync,    file_size,   lock,    unlock,  check_lock,
                                              control, sector_size, traits,  nullptr, nullptr,
                                              nullptr, nullptr,     nullptr, nullptr};
  auto* self = reinterpret_cast<File*>(file);
  self->head.pMethods = nullptr;
  self->owner = owner(vfs);
  self->is_log = (flags & SQLITE_OPEN_WAL) != 0;
  self->is_synced = false;
  self->real()->pMethods = nullptr;
  int rc = self->owner->base_->xOpen(self->owner->base_, name, self->real(), flags, out_flags);
  if (self->real()->pMethods != nullptr) self->head.pMethods = &kMethods;
  return rc;
}

base::Result<std::unique_ptr<SyncVfs>> SyncVfs::make(const char* base_name) {
  sqlite3_vfs* base = sqlite3_vfs_find(base_name);
  if (base == nullptr)
    return base::invalid_argument(
        base::concat("no SQLite VFS is named ", base_name == nullptr ? "(default)" : base_name));
  std::unique_ptr<SyncVfs> made(new SyncVfs);
  made->base_ = base;
  // The functions that take paths get the struct of the base itself: it knows only its own.
  made->vfs_ = std::make_unique<sqlite3_vfs>(*base);
  static std::atomic<std::uint64_t> next_id = 1;
  made->name_ = base::concat("skiff-sync-", next_id.fetch_add(1));
  sqlite3_vfs& vfs = *made->vfs_;
  vfs.iVersion = 2;
  vfs.szOsFile = static_cast<int>(sizeof(File)) + base->szOsFile;
  vfs.pNext = nullptr;
  vfs.zName = made->name_.c_str();
  vfs.pAppData = made.get();
  vfs.xOpen = Methods::open;
  vfs.xDelete = [](sqlite3_vfs* v, const char* path, int sync_folder) {
    sqlite3_vfs* real = Methods::owner(v)->base_;
    return real->xDelete(real, path, sync_folder);
  };
  vfs.xAccess = [](sqlite3_vfs* v, const char* path, int flags, int* out) {
    sqlite3_vfs* real = Methods::owner(v)->base_;
    return real->xAccess(real, path, flags, out);
  };
  vfs.xFullPathname = [](sqlite3_vfs* v, const char* path, int bytes, char* out) {
    sqlite3_vfs* real = Methods::owner(v)->base_;
    return real->xFullPathname(real, path, bytes, out);
  };
  vfs.xGetLastError = [](sqlite3_vfs* v, int bytes, char* out) {
    sqlite3_vfs* real = Methods::owner(v)->base_;
    return real->xGetLastError == nullptr ? 0 : real->xGetLastError(real, bytes, out);
  };
  if (sqlite3_vfs_register(&vfs, 0) != SQLITE_OK)
    return base::internal_error("SQLite did not take the VFS");
  return made;
}

SyncVfs::~SyncVfs() {
  if (vfs_) sqlite3_vfs_unregister(vfs_.get());
}

base::Status SyncVfs::cut_unsynced_log(const std::string& log_path) {
  constexpr std::int64_t kLogHeaderBytes = 32;
  if (unsynced_from_ >= 0) {
    auto memory = std::make_unique<char[]>(static_cast<std::size_t>(base_->szOsFile));
    auto* file = ::new (static_cast<void*>(memory.get())) sqlite3_file{};
    // SQLite's own URI reader expects two zero bytes behind a path.
    std::string path = log_path + std::string(2, '\0');
    int out_flags = 0;
    int rc = base_->xOpen(base_, path.c_str(), file, SQLITE_OPEN_READWRITE | SQLITE_OPEN_WAL,
                          &out_flags);
    if (rc == SQLITE_OK) {
      std::int64_t keep = unsynced_from_ <= kLogHeaderBytes ? 0 : unsynced_from_;
      rc = file->pMethods->xTruncate(file, keep);
      if (rc == SQLITE_OK) rc = file->pMethods->xSync(file, SQLITE_SYNC_FULL);
    }
    if (file->pMethods != nullptr) file->pMethods->xClose(file);
    if (rc != SQLITE_OK)
      return base::unavailable(
          base::concat("cut the unsynced end of ", log_path, ": ", sqlite3_errstr(rc)));
  }
  unsynced_from_ = -1;
  sync_failed_ = false;
  return {};
}

}  // namespace skiff::store
