#include "src/passes/test_graph.h"

namespace tamis {
namespace {

const std::vector<Pass> kPass = {{"recognize_pooling_head", RecognizePoolingHead}};

Tensor Mask(int64_t rows, int64_t columns) {
  Tensor mask(DType::kInt64, {rows, columns});
  for (int64_t i = 0; i < rows * columns; ++i) mask.Data<int64_t>()[i] = i % columns <= i / columns + 1;
  return mask;
}

const Feeds kFeeds = {{"x", RandomTensor({3, 6, 8}, 3)}, {"mask", Mask(3, 6)}};

struct Head {
  TestGraph t;
  ValueId x = t.Input("x", {Dim::Symbol("b"), Dim::Symbol("s"), 8});
  ValueId mask = t.Input("mask", {Dim::Symbol("b"), Dim::Symbol("s")}, DType::kInt64);

  // As sentence encoders are exported: the mask as wide as the tokens, or one column wide.
  ValueId Pooled(bool expanded, bool max) {
    ValueId m = t.Op("Unsqueeze", {mask, t.Ints({-1})});
    if (expanded) m = t.Op("Expand", {m, t.Op("Shape", {x})});
    m = t.Op("Cast", {m}, {{"to", int64_t{1}}});
    const ValueId sum = t.Op("ReduceSum", {t.Op("Mul", {x, m}), t.Ints({1})}, {{"keepdims", int64_t{0}}});
    const ValueId count = t.Op("ReduceSum", {m, t.Ints({1})}, {{"keepdims", int64_t{0}}});
    const ValueId clamped = max ? t.Op("Max", {count, t.Scalar(1e-9f)}) : t.Op("Clip", {count, t.Scalar(1e-9f)});
    return t.Op("Div", {sum, clamped});
  }
};

TEST(RecognizePoolingHead, MaskedMean) {
  for (bool expanded : {false, true}) {
    for (bool max : {false, true}) {
      Head h;
      h.t.Output(h.Pooled(expanded, max));
      const Graph after = RewriteAndCompare(h.t.graph, kPass, kFeeds);
      EXPECT_EQ(CountOps(after), (std::map<std::string, int>{{"tamis.MaskedMean", 1}}));
      EXPECT_FLOAT_EQ(after.node(0).Float("epsilon", 0), 1e-9f);
    }
  }
}

TEST(RecognizePoolingHead, L2Normalize) {
  for (int variant = 0; variant < 4; ++variant) {
    SCOPED_TRACE(variant);
    Head h;
    TestGraph& t = h.t;
    const ValueId x = h.Pooled(true, false);
    ValueId norm = kNoValue;
    if (variant == 0) norm = t.Op("ReduceL2", {x}, {{"axes", std::vector<int64_t>{1}}});
    if (variant == 1) norm = t.Op("Sqrt", {t.Op("ReduceSum", {t.Op("Mul", {x, x}), t.Ints({-1})})});
    if (variant == 2) {
      const ValueId sum = t.Op("ReduceSum", {t.Op("Pow", {t.Op("Abs", {x}), t.Scalar(2)}), t.Ints({1})});
      norm = t.Op("Pow", {sum, t.Scalar(0.5f)});
    }
    if (variant == 3) {
      const ValueId flat = t.Op("ReduceL2", {x}, {{"axes", std::vector<int64_t>{1}}, {"keepdims", int64_t{0}}});
      norm = t.Op("Unsqueeze", {flat, t.Ints({1})});
    }
    ValueId divisor = t.Op("Clip", {norm, t.Scalar(1e-12f)});
    if (variant % 2 == 0) divisor = t.Op("Expand", {divisor, t.Op("Shape", {x})});
    t.Output(t.Op("Div", {x, divisor}));
    const Graph after = RewriteAndCompare(t.graph, kPass, kFeeds);
    EXPECT_EQ(CountOps(after), (std::map<std::string, int>{{"tamis.MaskedMean", 1}, {"tamis.L2Normalize", 1}}));
  }
}

TEST(RecognizePoolingHead, NotWithAnotherCount) {
  Head h;
  TestGraph& t = h.t;
  const ValueId other = t.Input("other", {Dim::Symbol("b"), Dim::Symbol("s")}, DType::kInt64);
  const auto wide = [&](ValueId m) {
    return t.Op("Cast", {t.Op("Unsqueeze", {m, t.Ints({-1})})}, {{"to", int64_t{1}}});
  };
  const ValueId sum = t.Op("ReduceSum", {t.Op("Mul", {h.x, wide(h.mask)}), t.Ints({1})}, {{"keepdims", int64_t{0}}});
  const ValueId count = t.Op("ReduceSum", {wide(other), t.Ints({1})}, {{"keepdims", int64_t{0}}});
  t.Output(t.Op("Div", {sum, t.Op("Clip", {count, t.Scalar(1e-9f)})}));
  Feeds feeds = kFeeds;
  feeds["other"] = Mask(3, 6);
  EXPECT_EQ(CountOps(RewriteAndCompare(t.graph, kPass, feeds))["tamis.MaskedMean"], 0);
}

TEST(RecognizePoolingHead, NotAlongAnotherAxis) {
  Head h;
  const ValueId norm = h.t.Op("ReduceL2", {h.x}, {{"axes", std::vector<int64_t>{1}}});
  h.t.Output(h.t.Op("Div", {h.x, h.t.Op("Clip", {norm, h.t.Scalar(1e-12f)})}));
  EXPECT_EQ(CountOps(RewriteAndCompare(h.t.graph, kPass, kFeeds))["tamis.L2Normalize"], 0);
}

}  // namespace
}  // namespace tamis
