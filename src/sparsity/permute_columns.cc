#include "src/sparsity/permute_columns.h"

#include <algorithm>
#include <functional>
#include <numeric>
#include <random>

#include "src/base/cpu.h"
#include "src/sparsity/deal_columns.h"
#include "tamis/status.h"

namespace tamis {
namespace {

struct Lanes {
  float x[16];
  static Lanes Zero() { return {}; }
  static Lanes Load(const float* from) {
    Lanes lanes;
    std::copy_n(from, 16, lanes.x);
    return lanes;
  }
  void Store(float* to) const { std::copy_n(x, 16, to); }
  friend Lanes operator+(const Lanes& a, const Lanes& b) {
    Lanes sum;
    for (int i = 0; i < 16; ++i) sum.x[i] = a.x[i] + b.x[i];
    return sum;
  }
  friend Lanes Max(const Lanes& a, const Lanes& b) {
    Lanes most;
    for (int i = 0; i < 16; ++i) most.x[i] = a.x[i] > b.x[i] ? a.x[i] : b.x[i];
    return most;
  }
};

JudgeDealsFn BestJudge() {
  switch (Cpu().isa) {
    case Isa::kAvx512:
      return kJudgeDealsAvx512;
    case Isa::kAvx2:
      return kJudgeDealsAvx2;
    case Isa::kX86_64:
      break;
  }
  return JudgeDeals<Lanes>;
}

// Smaller gains, as a share of what the two groups hold, drown in the rounding of f32 sums.
constexpr float kLeastGain = 1e-5F;
// A descent judges every pair about so often before nothing pays any more.
constexpr int64_t kUsualSweeps = 8;
// Blocks of rows that the first descent looks at.
constexpr int64_t kFirstBlocks = 8;
// Throws that did not help, one after another, end the search.
constexpr int kVainThrows = 6;

struct Exchange {
  float gain = 0;
  int deal = 0;
  int32_t a = 0, b = 0;  // groups
};

class Search {
 public:
  Search(const SaliencyColumns& saliency, const ColumnGroups& groups, const ColumnSearchOptions& options,
         ThreadPool& pool)
      : saliency_(saliency),
        movable_(groups.movable),
        groups_(groups.groups),
        pool_(pool),
        judge_(BestJudge()),
        nothing_(static_cast<size_t>(saliency.padded_rows()), 0.0F),
        changed_(groups_.size(), true) {
    const auto count = static_cast<int64_t>(groups_.size());
    const int64_t sweep = std::max<int64_t>(1, count * (count - 1) / 2 * kUsualSweeps);
    LookAtEvery(Blocks() * sweep / options.block_limit);
  }

  int64_t Blocks() const { return saliency_.padded_rows() / SaliencyColumns::kRowBlock; }
  int64_t step() const { return step_; }
  // From now on every so many-th block of rows decides.
  void LookAtEvery(int64_t step) {
    step_ = std::clamp<int64_t>(step, 1, std::max<int64_t>(1, Blocks()));
    blocks_ = (Blocks() + step_ - 1) / step_;
    std::fill(changed_.begin(), changed_.end(), true);
  }

  // Until no exchange pays.
  void Descend() {
    while (true) {
      std::vector<Exchange> found = Judge();
      std::sort(found.begin(), found.end(), [](const Exchange& x, const Exchange& y) {
        return x.gain != y.gain ? x.gain > y.gain : std::pair(x.a, x.b) < std::pair(y.a, y.b);
      });
      std::fill(changed_.begin(), changed_.end(), false);
      bool any = false;
      for (const Exchange& exchange : found) {
        const auto a = static_cast<size_t>(exchange.a), b = static_cast<size_t>(exchange.b);
        if (changed_[a] || changed_[b]) continue;
        Apply(exchange);
        changed_[a] = changed_[b] = any = true;
      }
      if (!any) return;
    }
  }

  // Exchanges one column between each of some pairs of groups.
  void Throw(std::mt19937_64& random) {
    const size_t swaps = std::max<size_t>(1, groups_.size() / 8);
    for (size_t i = 0; i < swaps; ++i) {
      const size_t a = random() % groups_.size(), b = random() % groups_.size();
      int32_t &x = groups_[a][random() % 4], &y = groups_[b][random() % 4];
      if (a == b || !Movable(x) || !Movable(y)) continue;
      std::swap(x, y);
      changed_[a] = changed_[b] = true;
    }
  }

  std::vector<ColumnGroup>& groups() { return groups_; }
  int64_t judged() const { return judged_; }  // blocks of rows

 private:
  bool Movable(int32_t column) const { return column >= 0 && column < movable_; }

  void Columns(const Exchange& pair, std::array<int32_t, 8>* columns) const {
    for (size_t i = 0; i < 4; ++i) {
      (*columns)[i] = groups_[static_cast<size_t>(pair.a)][i];
      (*columns)[i + 4] = groups_[static_cast<size_t>(pair.b)][i];
    }
  }

  // Columns that stay are in the group that they were in. A deal whose first group has the second one's is the same
  // deal with the groups exchanged.
  enum class Fit { kNo, kYes, kExchanged };
  Fit FitOf(const Deal& deal, const std::array<int32_t, 8>& columns) const {
    bool straight = true, exchanged = true;
    for (const bool second : {false, true}) {
      for (const int i : second ? deal.second : deal.first) {
        if (Movable(columns[static_cast<size_t>(i)])) continue;
        ((i >= 4) == second ? exchanged : straight) = false;
      }
    }
    return straight ? Fit::kYes : exchanged ? Fit::kExchanged : Fit::kNo;
  }

  // The exchange that pays most, for every pair that has changed and where one does.
  std::vector<Exchange> Judge() {
    std::vector<Exchange> pairs;
    for (size_t a = 0; a < groups_.size(); ++a) {
      for (size_t b = a + 1; b < groups_.size(); ++b) {
        if (changed_[a] || changed_[b]) pairs.push_back({0, 0, static_cast<int32_t>(a), static_cast<int32_t>(b)});
      }
    }
    judged_ += static_cast<int64_t>(pairs.size()) * blocks_;
    pool_.ParallelFor(static_cast<int64_t>(pairs.size()), 64, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        Exchange& pair = pairs[static_cast<size_t>(i)];
        std::array<int32_t, 8> columns;
        Columns(pair, &columns);
        const float* data[8];
        for (size_t c = 0; c < 8; ++c) data[c] = columns[c] < 0 ? nothing_.data() : saliency_.column(columns[c]);
        float sums[kDeals];
        judge_(data, blocks_, step_, sums);
        for (int deal = 1; deal < kDeals; ++deal) {
          const float gain = sums[deal] - sums[0];
          if (gain <= std::max(pair.gain, kLeastGain * sums[0])) continue;
          if (FitOf(kDealTable[static_cast<size_t>(deal)], columns) == Fit::kNo) continue;
          pair.gain = gain;
          pair.deal = deal;
        }
      }
    });
    std::erase_if(pairs, [](const Exchange& pair) { return pair.deal == 0; });
    return pairs;
  }

  void Apply(const Exchange& exchange) {
    std::array<int32_t, 8> columns;
    Columns(exchange, &columns);
    const Deal& deal = kDealTable[static_cast<size_t>(exchange.deal)];
    const bool exchanged = FitOf(deal, columns) == Fit::kExchanged;
    for (size_t i = 0; i < 4; ++i) {
      const int32_t first = columns[static_cast<size_t>(deal.first[i])];
      const int32_t second = columns[static_cast<size_t>(deal.second[i])];
      groups_[static_cast<size_t>(exchange.a)][i] = exchanged ? second : first;
      groups_[static_cast<size_t>(exchange.b)][i] = exchanged ? first : second;
    }
  }

  const SaliencyColumns& saliency_;
  int64_t movable_;
  std::vector<ColumnGroup> groups_;
  ThreadPool& pool_;
  JudgeDealsFn judge_;
  std::vector<float> nothing_;
  std::vector<bool> changed_;
  int64_t step_ = 1, blocks_ = 0, judged_ = 0;
};

// Where a group's columns ended up is for the groups to say; within a group their order is free, so columns that stay
// in their group keep their places.
std::vector<int32_t> OrderOf(const ColumnGroups& before, const std::vector<ColumnGroup>& after) {
  std::vector<int32_t> order(static_cast<size_t>(before.movable), -1);
  for (size_t g = 0; g < after.size(); ++g) {
    std::vector<int32_t> places, come;
    const auto movable = [&](int32_t c) { return c >= 0 && c < before.movable; };
    const auto has = [](const ColumnGroup& group, int32_t c) {
      return std::find(group.begin(), group.end(), c) != group.end();
    };
    for (const int32_t c : before.groups[g]) {
      if (!movable(c)) continue;
      if (has(after[g], c)) {
        order[static_cast<size_t>(c)] = c;
      } else {
        places.push_back(c);
      }
    }
    for (const int32_t c : after[g]) {
      if (movable(c) && !has(before.groups[g], c)) come.push_back(c);
    }
    TAMIS_ASSERT(places.size() == come.size());
    std::sort(come.begin(), come.end());
    for (size_t i = 0; i < places.size(); ++i) order[static_cast<size_t>(places[i])] = come[i];
  }
  return order;
}

}  // namespace

SaliencyColumns::SaliencyColumns(int64_t rows, int64_t columns)
    : rows_(rows),
      padded_((rows + kRowBlock - 1) / kRowBlock * kRowBlock),
      columns_(columns),
      data_(static_cast<size_t>(padded_ * columns), 0.0F) {}

double TwoLargestSum(const SaliencyColumns& saliency, const ColumnGroups& groups) {
  double total = 0;
  for (const ColumnGroup& group : groups.groups) {
    for (int64_t row = 0; row < saliency.rows(); ++row) {
      std::array<float, 4> x = {};
      for (size_t i = 0; i < 4; ++i) x[i] = group[i] < 0 ? 0 : saliency.column(group[i])[row];
      std::nth_element(x.begin(), x.begin() + 1, x.end(), std::greater<>());
      total += static_cast<double>(x[0]) + static_cast<double>(x[1]);
    }
  }
  return total;
}

ColumnOrder FindColumnOrder(const SaliencyColumns& saliency, const ColumnGroups& groups,
                            const ColumnSearchOptions& options, ThreadPool& pool) {
  ColumnOrder result;
  result.order.resize(static_cast<size_t>(groups.movable));
  std::iota(result.order.begin(), result.order.end(), 0);
  result.before = result.after = TwoLargestSum(saliency, groups);
  if (groups.groups.size() < 2) return result;
  Search search(saliency, groups, options, pool);
  const auto kept = [&] { return TwoLargestSum(saliency, {groups.movable, search.groups()}); };
  // Few rows show most of what pays.
  const int64_t step = search.step();
  if (search.Blocks() / kFirstBlocks > step) {
    search.LookAtEvery(search.Blocks() / kFirstBlocks);
    search.Descend();
    search.LookAtEvery(step);
  }
  search.Descend();
  std::vector<ColumnGroup> best = search.groups();
  double most = kept();
  std::mt19937_64 random(options.seed);
  const int64_t limit = search.judged() * 3 / 2;
  for (int vain = 0; vain < kVainThrows && search.judged() < limit;) {
    search.Throw(random);
    search.Descend();
    const double now = kept();
    if (now > most) {
      most = now;
      best = search.groups();
      vain = 0;
    } else {
      search.groups() = best;
      ++vain;
    }
  }
  if (most > result.before) {
    result.after = most;
    result.order = OrderOf(groups, best);
  }
  return result;
}

}  // namespace tamis
