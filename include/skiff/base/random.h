// Randomness comes only through this interface, so that a seed repeats a run.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

namespace skiff::base {

// Thread-safe.
class Random {
 public:
  virtual ~Random() = default;
  virtual std::uint64_t next() = 0;
  // Uniform in [0, bound). REQUIRES: bound > 0.
  std::uint64_t below(std::uint64_t bound);
  // Uniform in [0, 1).
  double unit();
};

// From the kernel (getrandom): for keys, tokens and uids.
Random& secure_random();
// A repeatable sequence.
std::unique_ptr<Random> seeded_random(std::uint64_t seed);

// RFC 4122 version 4, lower case.
std::string make_uuid(Random& random);
// The suffix of generateName and of ReplicaSet pods: from "bcdfghjklmnpqrstvwxz2456789", so that no
// words appear (k8s.io/apimachinery/pkg/util/rand).
std::string make_name_suffix(Random& random, std::size_t length);

}  // namespace skiff::base
