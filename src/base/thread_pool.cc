#include "src/base/thread_pool.h"

#include <immintrin.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

#include "src/base/cpu.h"

namespace tamis {
namespace {
constexpr int kSpins = 4000;  // about 50 us: longer than the gap between two nodes
thread_local bool in_pool_work = false;

// While it lives, results below 1.2e-38 in magnitude are zero on this thread. Arithmetic on such subnormal numbers
// takes a hundred cycles, and networks that saturate make them by the thousand. (Operands are left as they are: the
// ceiling of the smallest is one.)
class FlushSubnormals {
 public:
  FlushSubnormals() : before_(_mm_getcsr()) { _mm_setcsr(before_ | kFlushResults); }
  ~FlushSubnormals() { _mm_setcsr(before_); }
  FlushSubnormals(const FlushSubnormals&) = delete;
  FlushSubnormals& operator=(const FlushSubnormals&) = delete;

 private:
  static constexpr unsigned kFlushResults = 0x8000;
  unsigned before_;
};
}  // namespace

struct ThreadPool::State {
  std::mutex turn;  // one Run at a time
  std::mutex mutex;
  std::condition_variable wake;
  std::vector<std::thread> workers;
  std::atomic<uint64_t> generation{0};
  std::atomic<int> next{0};
  // Workers take parts only while `open`, and are counted while they look: Run waits for those that came, not for those
  // that the system has not woken yet. Such a one may stand behind the caller on its own core.
  std::atomic<bool> open{false};
  std::atomic<int> active{0};
  std::atomic<bool> stop{false};
  int parts = 0;
  const std::function<void(int)>* work = nullptr;
  pid_t pid = 0;

  void Drain() {
    const FlushSubnormals flush;
    in_pool_work = true;
    for (int part = next.fetch_add(1); part < parts; part = next.fetch_add(1)) (*work)(part);
    in_pool_work = false;
  }

  void Loop() {
    uint64_t seen = 0;
    while (true) {
      for (int i = 0; i < kSpins && generation.load(std::memory_order_acquire) == seen && !stop.load(); ++i)
        _mm_pause();
      if (generation.load(std::memory_order_acquire) == seen) {
        std::unique_lock lock(mutex);
        wake.wait(lock, [&] { return stop.load() || generation.load() != seen; });
      }
      if (stop.load()) return;
      seen = generation.load(std::memory_order_acquire);
      active.fetch_add(1);  // before it looks whether there is work, so that Run sees it or it sees that Run is over
      if (open.load()) Drain();
      active.fetch_sub(1);
    }
  }

  void Start(int count) {
    pid = getpid();
    try {
      for (int i = 0; i < count; ++i) workers.emplace_back([this] { Loop(); });
    } catch (const std::system_error&) {
      // The system gives no more threads (a limit on processes): those that there are take all parts.
    }
  }
};

ThreadPool::ThreadPool(int threads)
    : threads_(threads > 0 ? threads : Cpu().usable_cores), state_(std::make_unique<State>()) {
  if (threads_ > 1) state_->Start(threads_ - 1);
}

ThreadPool::~ThreadPool() {
  if (state_->pid != 0 && state_->pid != getpid()) {  // a forked child has no workers to join
    for (std::thread& worker : state_->workers) worker.detach();
    (void)state_.release();
    return;
  }
  {
    std::lock_guard lock(state_->mutex);
    state_->stop = true;
  }
  state_->wake.notify_all();
  for (std::thread& worker : state_->workers) worker.join();
}

void ThreadPool::Run(int parts, const std::function<void(int)>& f) {
  if (parts <= 1 || threads_ == 1 || in_pool_work) {
    const FlushSubnormals flush;
    for (int part = 0; part < parts; ++part) f(part);
    return;
  }
  if (state_->pid != getpid()) {
    for (std::thread& worker : state_->workers) worker.detach();
    (void)state_.release();
    state_ = std::make_unique<State>();
    state_->Start(threads_ - 1);
  }
  std::lock_guard turn(state_->turn);
  {
    std::lock_guard lock(state_->mutex);
    state_->work = &f;
    state_->parts = parts;
    state_->next.store(0);
    state_->open.store(true);
    state_->generation.fetch_add(1, std::memory_order_release);
  }
  state_->wake.notify_all();
  state_->Drain();
  state_->open.store(false);
  for (int i = 0; state_->active.load() != 0; ++i) {
    if (i < kSpins) {
      _mm_pause();
    } else {
      std::this_thread::yield();
    }
  }
}

void ThreadPool::ParallelFor(int64_t count, int64_t grain, const std::function<void(int64_t, int64_t)>& f) {
  if (count <= 0) return;
  const int64_t parts = std::clamp<int64_t>(count / std::max<int64_t>(grain, 1), 1, threads_);
  const auto work = [&](int part) { f(count * part / parts, count * (part + 1) / parts); };
  // One reference fits std::function's own storage: nothing is allocated.
  Run(static_cast<int>(parts), [&work](int part) { work(part); });
}

}  // namespace tamis
