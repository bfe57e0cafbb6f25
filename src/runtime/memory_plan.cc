#include "src/runtime/memory_plan.h"

#include <algorithm>
#include <numeric>
#include <random>

namespace tamis {
namespace {

constexpr size_t kAlign = 64;

// Kernels may load, never store, up to one vector past an operand.
size_t Padded(size_t bytes) {
  return (bytes + kAlign - 1) / kAlign * kAlign + kAlign;
}

// Bytes alive at each step.
std::vector<size_t> AliveAt(const std::vector<BufferUse>& uses) {
  int steps = 0;
  for (const BufferUse& use : uses) steps = std::max(steps, use.last + 1);
  std::vector<size_t> alive(static_cast<size_t>(steps) + 1, 0);
  for (const BufferUse& use : uses) {
    alive[static_cast<size_t>(use.first)] += use.bytes;
    alive[static_cast<size_t>(use.last) + 1] -= use.bytes;  // wraps around and back in the sum
  }
  std::partial_sum(alive.begin(), alive.end(), alive.begin());
  return alive;
}

class Planner {
 public:
  explicit Planner(const std::vector<BufferUse>& uses) : uses_(uses), meets_(uses.size()) {
    // A sweep over the steps finds the pairs that are alive together.
    std::vector<size_t> by_first(uses.size());
    std::iota(by_first.begin(), by_first.end(), size_t{0});
    std::stable_sort(by_first.begin(), by_first.end(),
                     [&](size_t a, size_t b) { return uses[a].first < uses[b].first; });
    std::vector<size_t> alive;
    for (const size_t use : by_first) {
      std::erase_if(alive, [&](size_t other) { return uses[other].last < uses[use].first; });
      for (const size_t other : alive) {
        meets_[use].push_back(other);
        meets_[other].push_back(use);
      }
      alive.push_back(use);
    }
  }

  MemoryPlan Place(const std::vector<size_t>& order) {
    MemoryPlan plan;
    plan.offsets.assign(uses_.size(), kUnplaced);
    for (const size_t index : order) {
      taken_.clear();
      for (const size_t other : meets_[index]) {
        if (plan.offsets[other] != kUnplaced) {
          taken_.emplace_back(plan.offsets[other], plan.offsets[other] + Padded(uses_[other].bytes));
        }
      }
      std::sort(taken_.begin(), taken_.end());
      const size_t bytes = Padded(uses_[index].bytes);
      size_t offset = 0;
      for (const auto& [begin, end] : taken_) {
        if (offset + bytes <= begin) break;
        offset = std::max(offset, end);
      }
      plan.offsets[index] = offset;
      plan.arena_bytes = std::max(plan.arena_bytes, offset + bytes);
    }
    return plan;
  }

  const std::vector<size_t>& Meets(size_t use) const { return meets_[use]; }
  size_t Pairs() const {
    size_t pairs = 0;
    for (const auto& met : meets_) pairs += met.size();
    return pairs;
  }

 private:
  static constexpr size_t kUnplaced = static_cast<size_t>(-1);
  const std::vector<BufferUse>& uses_;
  std::vector<std::vector<size_t>> meets_;
  std::vector<std::pair<size_t, size_t>> taken_;  // [begin, end) of buffers alive at the same time
};

template <class Key>
std::vector<size_t> OrderBy(size_t count, Key key) {
  std::vector<size_t> order(count);
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return key(a) > key(b); });
  return order;
}

}  // namespace

size_t MostAlive(const std::vector<BufferUse>& uses) {
  if (uses.empty()) return 0;
  const std::vector<size_t> alive = AliveAt(uses);
  return *std::max_element(alive.begin(), alive.end());
}

MemoryPlan PlanMemory(const std::vector<BufferUse>& uses) {
  if (uses.empty()) return {};
  std::vector<BufferUse> padded = uses;
  for (BufferUse& use : padded) use.bytes = Padded(use.bytes);
  const std::vector<size_t> alive = AliveAt(padded);
  const size_t bound = *std::max_element(alive.begin(), alive.end());
  const auto pressure = [&](const BufferUse& use) {
    return *std::max_element(alive.begin() + use.first, alive.begin() + use.last + 1);
  };

  Planner planner(uses);
  MemoryPlan best;
  std::vector<size_t> best_order;
  const auto attempt = [&](std::vector<size_t> order) {
    MemoryPlan plan = planner.Place(order);
    if (!best_order.empty() && plan.arena_bytes >= best.arena_bytes) return;
    best = std::move(plan);
    best_order = std::move(order);
  };
  const size_t n = uses.size();
  attempt(OrderBy(n, [&](size_t i) { return uses[i].bytes; }));
  if (best.arena_bytes > bound) {
    attempt(OrderBy(n, [&](size_t i) {
      return static_cast<double>(uses[i].bytes) * static_cast<double>(uses[i].last - uses[i].first + 1);
    }));
  }
  if (best.arena_bytes > bound) {
    std::vector<size_t> pressures(n);
    for (size_t i = 0; i < n; ++i) pressures[i] = pressure(uses[i]);
    attempt(OrderBy(n, [&](size_t i) { return std::pair(pressures[i], uses[i].bytes); }));
  }
  // A short local search: a buffer that sticks out, or one that it meets, is placed at an earlier turn. Equal results
  // are taken too, so that the search walks on; the steps come from a fixed seed.
  const size_t rounds = std::clamp<size_t>(size_t{20'000'000} / (planner.Pairs() + n), 0, 400);
  std::minstd_rand random(1);
  MemoryPlan present = best;
  std::vector<size_t> order = best_order;
  for (size_t round = 0; round < rounds && best.arena_bytes > bound + bound / 200; ++round) {
    std::vector<size_t> high;
    for (size_t i = 0; i < n; ++i) {
      if (present.offsets[i] + Padded(uses[i].bytes) == present.arena_bytes) high.push_back(i);
    }
    const size_t top = high[random() % high.size()];
    const auto& met = planner.Meets(top);
    const size_t moved = met.empty() || random() % 2 == 0 ? top : met[random() % met.size()];
    std::vector<size_t> changed = order;
    const auto from = std::find(changed.begin(), changed.end(), moved);
    std::rotate(
        changed.begin() + static_cast<std::ptrdiff_t>(random() % static_cast<size_t>(from - changed.begin() + 1)), from,
        from + 1);
    MemoryPlan plan = planner.Place(changed);
    if (plan.arena_bytes > present.arena_bytes) continue;
    present = std::move(plan);
    order = std::move(changed);
    if (present.arena_bytes < best.arena_bytes) best = present;
  }
  return best;
}

}  // namespace tamis
