// How long work that is counted still takes, by what of it is done.
#pragma once

#include <cstdint>

namespace tamis {

// A stage begins where the total is another one, or less is done than before: how long the stages before it took says
// nothing of it.
class StageClock {
 public:
  // Seconds that the stage still takes at `now`, in seconds of any clock; 0 while nothing can be said.
  double Left(int64_t done, int64_t total, double now) {
    if (total != total_ || done < done_) {
      total_ = total;
      first_ = done;
      start_ = now;
    }
    done_ = done;
    const double elapsed = now - start_;
    if (done <= first_ || done >= total || elapsed < kSoon) return 0;
    return elapsed / static_cast<double>(done - first_) * static_cast<double>(total - done);
  }

 private:
  static constexpr double kSoon = 1;  // a stage is as young as that
  int64_t total_ = -1, done_ = 0, first_ = 0;
  double start_ = 0;
};

}  // namespace tamis
