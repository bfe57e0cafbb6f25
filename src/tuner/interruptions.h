// Whether the system took cores from a run that was timed.
#pragma once

#include <cstdint>
#include <vector>

namespace tamis {

// How often the system took a core from a thread of this process that wanted to go on (getrusage's ru_nivcsw).
int64_t InvoluntarySwitches();

// Tells runs that other processes disturbed from those that were left alone. Hardly a run of 20 ms goes without a
// switch: the system's own threads take a core for some microseconds each. So what counts is how long threads waited
// for a core meanwhile, as the kernel keeps it for each (/proc/self/task/*/schedstat, the second number, in
// nanoseconds). Where the kernel does not tell, every switch disturbs. Not thread-safe.
class Interruptions {
 public:
  // Of the threads that the process has now: make the pool first.
  Interruptions();
  ~Interruptions();
  Interruptions(const Interruptions&) = delete;
  Interruptions& operator=(const Interruptions&) = delete;

  // A run begins. Takes some microseconds.
  void Begin();
  // Whether the run that took `seconds` since Begin lost a core, and waited for it by more than kShare of its time.
  bool Disturbed(double seconds) const;

  static constexpr double kShare = 0.01;

 private:
  // What all threads have waited for a core so far, in seconds.
  double Waited() const;

  std::vector<int> files_;  // of the threads
  int64_t switches_ = 0;
  double waited_ = 0;
};

}  // namespace tamis
