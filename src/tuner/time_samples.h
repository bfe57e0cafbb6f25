// Times of one kernel on a machine that may be busy.
#pragma once

#include <cstdint>
#include <vector>

#include "src/tuner/time_kernels.h"

namespace tamis {

// Runs of one kernel. Where other processes want the cores too, the system takes them from some runs for whole time
// slices, most often from those of many threads, and the median of all would choose kernels of few threads for a
// machine that is not there when the network runs. So runs in which it took none count alone, if there are enough of
// them.
class TimeSamples {
 public:
  static constexpr size_t kLeast = 5, kLeastOfLong = 3;
  static constexpr double kUnsettled = 1;  // the spread where fewer were left alone
  // A run is long enough to be an average by itself: kLeastOfLong of them are enough instead of kLeast.
  void AreLong() { least_ = kLeastOfLong; }
  // `interrupted`: see Interruptions.
  void Add(double seconds, bool interrupted) { (interrupted ? interrupted_ : alone_).push_back(seconds); }
  bool Enough() const { return alone_.size() >= least_; }
  // The runs that count, ascending.
  std::vector<double> Counted() const;
  // Median, spread and number of the runs that count. Where too few were left alone all do, and the spread is at least
  // kUnsettled: the problem is timed again another time.
  void Write(TimedKernel* result);

 private:
  std::vector<double> alone_, interrupted_;
  size_t least_ = kLeast;
};

}  // namespace tamis
