#include "src/passes/test_graph.h"

namespace tamis {
namespace {

const std::vector<Pass> kPass = {{"recognize_rms_norm", RecognizeRmsNorm}};
const Feeds kFeeds = {{"x", RandomTensor({2, 5, 16}, 7)}};
enum class Form { kDiv, kReciprocal, kRsqrtPow, kOneOver };

ValueId Normalised(TestGraph& t, ValueId x, Form form, bool pow_square) {
  const ValueId square = pow_square ? t.Op("Pow", {x, t.Scalar(2)}) : t.Op("Mul", {x, x});
  const ValueId mean = t.graph.Opset() >= 18 ? t.Op("ReduceMean", {square, t.Ints({-1})})
                                             : t.Op("ReduceMean", {square}, {{"axes", std::vector<int64_t>{-1}}});
  const ValueId shifted = t.Op("Add", {mean, t.Scalar(1e-6f)});
  if (form == Form::kRsqrtPow) return t.Op("Mul", {t.Op("Pow", {shifted, t.Scalar(-0.5f)}), x});
  const ValueId root = t.Op("Sqrt", {shifted});
  if (form == Form::kDiv) return t.Op("Div", {x, root});
  const ValueId inverse = form == Form::kReciprocal ? t.Op("Reciprocal", {root}) : t.Op("Div", {t.Scalar(1), root});
  return t.Op("Mul", {x, inverse});
}

// Both exporters': the older one writes a quotient of 1 and Pow, the newer one Reciprocal and axes as an input.
TEST(RecognizeRmsNorm, AllForms) {
  for (int64_t opset : {13, 18}) {
    for (Form form : {Form::kDiv, Form::kReciprocal, Form::kRsqrtPow, Form::kOneOver}) {
      for (int variant = 0; variant < 4; ++variant) {
        SCOPED_TRACE("opset " + std::to_string(opset) + " form " + std::to_string(static_cast<int>(form)) +
                     " variant " + std::to_string(variant));
        TestGraph t(opset);
        const ValueId n =
            Normalised(t, t.Input("x", {Dim::Symbol("b"), Dim::Symbol("s"), 16}), form, (variant & 1) != 0);
        const ValueId scale = t.Weight({16}, 0.5f, 2);
        t.Output((variant & 2) != 0 ? t.Op("Mul", {scale, n}) : t.Op("Mul", {n, scale}));
        const Graph after = RewriteAndCompare(t.graph, kPass, kFeeds);
        EXPECT_EQ(CountOps(after), (std::map<std::string, int>{{"RMSNormalization", 1}}));
        EXPECT_FLOAT_EQ(after.node(0).Float("epsilon", 0), 1e-6f);
      }
    }
  }
}

TEST(RecognizeRmsNorm, WithoutScaleItIsOne) {
  TestGraph t;
  t.Output(Normalised(t, t.Input("x", {2, 5, 16}), Form::kReciprocal, true));
  EXPECT_EQ(CountOps(RewriteAndCompare(t.graph, kPass, kFeeds)), (std::map<std::string, int>{{"RMSNormalization", 1}}));
}

TEST(RecognizeRmsNorm, LeavesWhatIsReadElsewhereOrOverOtherAxes) {
  TestGraph shared;
  const ValueId x = shared.Input("x", {2, 5, 16});
  const ValueId square = shared.Op("Mul", {x, x});
  const ValueId mean = shared.Op("ReduceMean", {square}, {{"axes", std::vector<int64_t>{-1}}});
  const ValueId root = shared.Op("Sqrt", {shared.Op("Add", {mean, shared.Scalar(1e-6f)})});
  shared.Output(shared.Op("Div", {x, root}));
  shared.Output(mean);
  EXPECT_EQ(CountOps(RewriteAndCompare(shared.graph, kPass, kFeeds)).count("RMSNormalization"), 0u);

  TestGraph axis;
  const ValueId y = axis.Input("x", {2, 5, 16});
  const ValueId over_tokens = axis.Op("ReduceMean", {axis.Op("Mul", {y, y})}, {{"axes", std::vector<int64_t>{1}}});
  axis.Output(axis.Op("Div", {y, axis.Op("Sqrt", {axis.Op("Add", {over_tokens, axis.Scalar(1e-6f)})})}));
  EXPECT_EQ(CountOps(RewriteAndCompare(axis.graph, kPass, kFeeds)).count("RMSNormalization"), 0u);
}

}  // namespace
}  // namespace tamis
