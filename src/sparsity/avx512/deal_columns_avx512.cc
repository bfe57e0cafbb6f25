#include <immintrin.h>

#include "src/sparsity/deal_columns.h"

namespace tamis {
namespace {

struct Lanes {
  __m512 x;
  static Lanes Zero() { return {_mm512_setzero_ps()}; }
  static Lanes Load(const float* from) { return {_mm512_loadu_ps(from)}; }
  void Store(float* to) const { _mm512_storeu_ps(to, x); }
  friend Lanes operator+(Lanes a, Lanes b) { return {_mm512_add_ps(a.x, b.x)}; }
  friend Lanes Max(Lanes a, Lanes b) { return {_mm512_max_ps(a.x, b.x)}; }
};

}  // namespace

const JudgeDealsFn kJudgeDealsAvx512 = JudgeDeals<Lanes>;

}  // namespace tamis
