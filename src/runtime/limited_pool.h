// A pool of at most so many objects that are made as they are needed, taken for a while and given back.
#pragma once

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <vector>

#include "tamis/status.h"

namespace tamis {

// Thread-safe. Whoever finds none waits its turn: what is given back goes to who has waited longest, so that threads
// that come often keep none of the others waiting.
template <class T>
class LimitedPool {
 public:
  explicit LimitedPool(size_t most) : most_(most) {}
  LimitedPool(const LimitedPool&) = delete;
  LimitedPool& operator=(const LimitedPool&) = delete;

  // The object that was given back last, one that `make` makes (called without the lock, by several threads at once),
  // or, where there are `most`, the next that is given back. If making fails and `worth_waiting` says so of the reason,
  // it waits for one of those that exist; the error is returned if there are none.
  // make: Result<std::unique_ptr<T>>(); worth_waiting: bool(const Status&).
  template <class Make, class WorthWaiting>
  Result<std::unique_ptr<T>> Take(const Make& make, const WorthWaiting& worth_waiting) {
    std::unique_lock lock(mutex_);
    Status failed;
    for (;;) {
      if (!free_.empty()) {
        std::unique_ptr<T> taken = std::move(free_.back());
        free_.pop_back();
        return taken;
      }
      if (!failed.ok() && made_ == 0) return failed;
      if (failed.ok() && made_ < most_) {
        ++made_;
        lock.unlock();
        Result<std::unique_ptr<T>> made = make();
        if (made.ok()) return made;
        lock.lock();
        Forget();
        failed = made.status();
        if (!worth_waiting(failed)) return failed;
        continue;
      }
      Waiter waiter;
      waiting_.push_back(&waiter);
      waiter.turn.wait(lock, [&] { return waiter.woken; });
      if (waiter.given != nullptr) return std::move(waiter.given);
    }
  }

  // nullptr: the one that was taken is no more.
  void GiveBack(std::unique_ptr<T> object) {
    const std::lock_guard lock(mutex_);
    if (object == nullptr) {
      Forget();
    } else if (waiting_.empty()) {
      free_.push_back(std::move(object));
    } else {
      waiting_.front()->given = std::move(object);
      WakeFirst();
    }
  }

  // Of those that nobody has taken; while nobody takes one.
  const std::vector<std::unique_ptr<T>>& free() const { return free_; }

 private:
  struct Waiter {
    std::condition_variable turn;
    std::unique_ptr<T> given;
    bool woken = false;
  };

  // With the lock. Everybody who waits looks again: one more may be made, or there is none left to wait for.
  void Forget() {
    --made_;
    while (!waiting_.empty()) WakeFirst();
  }
  void WakeFirst() {
    waiting_.front()->woken = true;
    waiting_.front()->turn.notify_one();
    waiting_.pop_front();
  }

  const size_t most_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<T>> free_;
  size_t made_ = 0;  // those that are taken too
  std::deque<Waiter*> waiting_;
};

}  // namespace tamis
