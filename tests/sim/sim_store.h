// The memory store with faults, and the record of what it acknowledged and published.
#pragma once

#include <skiff/codec/json.h>
#include <skiff/store/store.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "sim/faults.h"

namespace skiff::sim {

inline constexpr std::string_view kPodsPrefix = "/core/pods/";

struct Published {
  std::string key;
  store::Revision revision = 0;
  std::string node;  // of a pod: where it is, or was
};

class SimStore final : public store::Store {
 public:
  SimStore(base::Executor& executor, base::Timers& timers, base::Random& random,
           const Faults& faults);

  base::Task<base::Result<store::Revision>> commit(store::Write write) override;
  base::Result<Loaded> load(base::UniqueFunction<void(store::Record)> each) override;
  void set_event_sink(
      base::UniqueFunction<void(std::vector<store::Event>, store::Revision)> sink) override;
  store::HealthReport health() const override { return inner_->health(); }
  Counters counters() const override { return inner_->counters(); }
  base::Status close() override { return inner_->close(); }

  // Every event since the beginning, in order.
  const std::vector<Published>& published() const { return published_; }
  // A pod as it was published last; null when there is none of this uid.
  codec::Json find_pod(const std::string& uid) const;
  // Of what was published and when: the same for each run of a seed.
  std::uint64_t digest() const { return digest_; }
  // A sentence when an acknowledged write is not there any more or revisions went back; else empty.
  std::string check();

 private:
  struct Acknowledged {
    store::Revision revision = 0;
    base::SharedBytes value;  // empty: removed
  };
  base::Timers& timers_;
  base::Random& random_;
  const Faults& faults_;
  std::unique_ptr<store::Store> inner_;
  std::map<std::string, Acknowledged> acknowledged_;
  std::vector<Published> published_;
  std::map<std::string, base::SharedBytes> pods_;  // as published last
  void mix(std::uint64_t value) { digest_ = (digest_ ^ value) * 0x100000001b3; }

  std::string violation_;
  std::uint64_t digest_ = 0xcbf29ce484222325;
};

}  // namespace skiff::sim
