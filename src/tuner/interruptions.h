// Whether the system took cores from a run that was timed.
#pragma once

#include <cstdint>
#include <vector>

namespace tamis {

// How often the system took a core from a thread of this process that wanted to go on (getrusage's ru_nivcsw).
int64_t InvoluntarySwitches();

// Tells runs that other processes disturbed from those that were left alone. Hardly a run of 20 ms goes without a
// switch: the system's own threads take a core for some microseconds each. So what counts is how long a thread waited
// for a core meanwhile, as the kernel keeps it for each (/proc/self/task/*/schedstat, the second number, in
// nanoseconds). Where the kernel does not tell, every switch disturbs. Not thread-safe.
class Interruptions {
 public:
  // Of the threads that the process has now: make the pool first.
  Interruptions();
  ~Interruptions();
  Interruptions(const Interruptions&) = delete;
  Interruptions& operator=(const Interruptions&) = delete;

  // A run begins. Takes a microsecond a thread.
  void Begin();
  // Whether the run that took `seconds` since Begin lost a core, and one of its threads waited for one by more than
  // kShare of its time.
  bool Disturbed(double seconds) const;
  // Whether the kernel says how long threads wait.
  bool KernelTells() const { return !files_.empty(); }

  static constexpr double kShare = 0.01;

 private:
  std::vector<int> files_;        // of the threads
  std::vector<uint64_t> waited_;  // until Begin, of each of them, in nanoseconds
  int64_t switches_ = 0;
};

}  // namespace tamis
