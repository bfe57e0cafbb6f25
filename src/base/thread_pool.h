// The one thread pool of a process's computation.
//
// Run(parts, f) calls f(part) once for each part in [0, parts) on the pool's threads and the caller's, and returns
// when all are done. Workers spin for a short while before they sleep, because a network's nodes follow one another
// within microseconds. Calls from different threads take turns; a call from inside f runs its parts in place.
// After a fork() the child's first Run starts new workers. Inside f results that are subnormal become zero.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

namespace tamis {

class ThreadPool {
 public:
  // `threads` counts the calling thread; 0 means one for every usable core.
  explicit ThreadPool(int threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int threads() const { return threads_; }
  void Run(int parts, const std::function<void(int)>& f);
  // Splits [0, count) into contiguous ranges, at most one a thread, none shorter than `grain` except the last.
  void ParallelFor(int64_t count, int64_t grain, const std::function<void(int64_t begin, int64_t end)>& f);

 private:
  struct State;
  int threads_;
  std::unique_ptr<State> state_;
};

}  // namespace tamis
