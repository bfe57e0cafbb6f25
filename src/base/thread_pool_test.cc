#include "src/base/thread_pool.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

namespace tamis {
namespace {

TEST(ThreadPool, RunsEachPartOnce) {
  for (int threads : {1, 2, 3, 8}) {
    ThreadPool pool(threads);
    EXPECT_EQ(pool.threads(), threads);
    for (int parts : {0, 1, 2, 7, 100}) {
      std::vector<std::atomic<int>> counts(static_cast<size_t>(parts));
      pool.Run(parts, [&](int part) { ++counts[static_cast<size_t>(part)]; });
      for (const auto& count : counts) EXPECT_EQ(count.load(), 1);
    }
  }
}

TEST(ThreadPool, ManyShortRunsFollowOneAnother) {
  ThreadPool pool(3);
  std::vector<int> sums(64, 0);  // not atomic: a run's writes must be seen by the next
  for (int round = 0; round < 3000; ++round) pool.Run(64, [&](int part) { sums[static_cast<size_t>(63 - part)] += 1; });
  for (int sum : sums) EXPECT_EQ(sum, 3000);
}

TEST(ThreadPool, WorkersThatSleptWakeUp) {
  ThreadPool pool(2);
  for (int round = 0; round < 3; ++round) {
    std::atomic<int> count{0};
    pool.Run(8, [&](int) { ++count; });
    EXPECT_EQ(count.load(), 8);
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
}

// Runs of changing sizes right after one another: a worker that comes late must not take a part of the wrong run.
TEST(ThreadPool, LateWorkersTakeNothingOfEarlierRuns) {
  ThreadPool pool(6);
  for (int round = 0; round < 20000; ++round) {
    const int parts = 2 + round % 5;
    std::atomic<int> calls{0}, sum{0};
    pool.Run(parts, [&](int part) {
      ++calls;
      sum += part;
    });
    ASSERT_EQ(calls.load(), parts) << "round " << round;
    ASSERT_EQ(sum.load(), parts * (parts - 1) / 2) << "round " << round;
  }
}

TEST(ThreadPool, NestedRunsHappenInPlace) {
  ThreadPool pool(3);
  std::atomic<int> count{0};
  std::atomic<int> elsewhere{0};
  pool.Run(4, [&](int) {
    const auto outer = std::this_thread::get_id();
    pool.Run(5, [&](int) {
      ++count;
      if (std::this_thread::get_id() != outer) ++elsewhere;
    });
  });
  EXPECT_EQ(count.load(), 20);
  EXPECT_EQ(elsewhere.load(), 0);
}

TEST(ThreadPool, CallersTakeTurns) {
  ThreadPool pool(2);
  std::atomic<int> count{0};
  std::vector<std::thread> callers;
  for (int caller = 0; caller < 4; ++caller) {
    callers.emplace_back([&] {
      for (int round = 0; round < 200; ++round) pool.Run(4, [&](int) { ++count; });
    });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(count.load(), 4 * 200 * 4);
}

TEST(ThreadPool, RangesCoverAndRespectTheGrain) {
  ThreadPool pool(4);
  for (int64_t count : {0, 1, 5, 64, 1001}) {
    for (int64_t grain : {0, 1, 16, 5000}) {
      std::mutex mutex;
      std::set<std::pair<int64_t, int64_t>> ranges;
      pool.ParallelFor(count, grain, [&](int64_t begin, int64_t end) {
        const std::lock_guard lock(mutex);
        ranges.insert({begin, end});
      });
      EXPECT_LE(ranges.size(), 4u);
      int64_t next = 0;
      for (const auto& [begin, end] : ranges) {
        EXPECT_EQ(begin, next);
        EXPECT_LT(begin, end);
        EXPECT_TRUE(ranges.size() == 1 || end - begin >= grain);
        next = end;
      }
      EXPECT_EQ(next, count);
    }
  }
}

// On the caller's thread and the workers', and not behind the run.
TEST(ThreadPool, SubnormalResultsAreZeroInside) {
  volatile float small = 1e-37F, hundredth = 0.01F;
  for (const int threads : {1, 3}) {
    ThreadPool pool(threads);
    for (const int parts : {1, 64}) {
      std::atomic<int> zeros{0};
      pool.Run(parts, [&](int) { zeros += small * hundredth == 0 ? 1 : 0; });
      EXPECT_EQ(zeros.load(), parts) << threads << " threads";
    }
    int ranges = 0, zeros = 0;
    pool.ParallelFor(1, 1, [&](int64_t, int64_t) { ++ranges, zeros += small * hundredth == 0 ? 1 : 0; });
    EXPECT_EQ(zeros, ranges);
    EXPECT_NE(small * hundredth, 0);
  }
}

// A server's worker may be forked from a process that has already computed.
TEST(ThreadPool, WorksInAForkedChild) {
#ifdef __has_feature
#if __has_feature(thread_sanitizer)
  GTEST_SKIP()
      << "ThreadSanitizer does not know a child's copies of its parent's threads, and ends it where they are let go of";
#endif
#endif
  ThreadPool pool(2);
  pool.Run(4, [](int) {});
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    std::atomic<int> count{0};
    pool.Run(6, [&](int) { ++count; });
    _exit(count.load() == 6 ? 0 : 1);
  }
  int state = -1;
  ASSERT_EQ(waitpid(child, &state, 0), child);
  EXPECT_TRUE(WIFEXITED(state));
  EXPECT_EQ(WEXITSTATUS(state), 0);
  std::atomic<int> count{0};
  pool.Run(6, [&](int) { ++count; });
  EXPECT_EQ(count.load(), 6);
}

}  // namespace
}  // namespace tamis
