#include "src/passes/test_graph.h"

namespace tamis {
namespace {

const std::vector<Pass> kPass = {{"recognize_layer_norm", RecognizeLayerNorm}};
enum class Form { kDiv, kReciprocal, kRsqrtPow, kOneOver };

ValueId Mean(TestGraph& t, ValueId x, std::vector<int64_t> axes = {-1}) {
  if (t.graph.Opset() >= 18) return t.Op("ReduceMean", {x, t.Ints(axes)});
  return t.Op("ReduceMean", {x}, {{"axes", axes}});
}

ValueId Normalised(TestGraph& t, ValueId x, Form form, bool pow_square, bool twice, ValueId* variance = nullptr) {
  const ValueId d = t.Op("Sub", {x, Mean(t, x)});
  const ValueId other = twice ? t.Op("Sub", {x, Mean(t, x)}) : d;
  const ValueId square = pow_square ? t.Op("Pow", {other, t.Scalar(2)}) : t.Op("Mul", {other, other});
  const ValueId v = Mean(t, square);
  if (variance != nullptr) *variance = v;
  const ValueId shifted = t.Op("Add", {t.Scalar(1e-5f), v});
  if (form == Form::kRsqrtPow) return t.Op("Mul", {t.Op("Pow", {shifted, t.Scalar(-0.5f)}), d});
  const ValueId root = t.Op("Sqrt", {shifted});
  if (form == Form::kDiv) return t.Op("Div", {d, root});
  const ValueId inverse = form == Form::kReciprocal ? t.Op("Reciprocal", {root}) : t.Op("Div", {t.Scalar(1), root});
  return t.Op("Mul", {d, inverse});
}

const Feeds kFeeds = {{"x", RandomTensor({2, 5, 16}, 7)}};
Shape InputShape() {
  return {Dim::Symbol("b"), Dim::Symbol("s"), 16};
}

TEST(RecognizeLayerNorm, AllForms) {
  for (int64_t opset : {13, 18}) {
    for (Form form : {Form::kDiv, Form::kReciprocal, Form::kRsqrtPow, Form::kOneOver}) {
      for (int variant = 0; variant < 4; ++variant) {
        SCOPED_TRACE("opset " + std::to_string(opset) + " form " + std::to_string(static_cast<int>(form)) +
                     " variant " + std::to_string(variant));
        TestGraph t(opset);
        const ValueId n = Normalised(t, t.Input("x", InputShape()), form, (variant & 1) != 0, (variant & 2) != 0);
        t.Output(t.Op("Add", {t.Op("Mul", {t.Weight({16}), n}), t.Weight({16})}));
        const Graph after = RewriteAndCompare(t.graph, kPass, kFeeds);
        EXPECT_EQ(CountOps(after), (std::map<std::string, int>{{"LayerNormalization", 1}}));
        EXPECT_EQ(after.node(0).inputs.size(), 3u);
      }
    }
  }
}

TEST(RecognizeLayerNorm, WithoutAffineOrWithScaleOnly) {
  TestGraph t;
  const ValueId x = t.Input("x", InputShape());
  t.Output(Normalised(t, x, Form::kDiv, true, false));
  t.Output(t.Op("Mul", {Normalised(t, x, Form::kDiv, true, false), t.Weight({16})}));
  const Graph after = RewriteAndCompare(t.graph, kPass, kFeeds);
  EXPECT_EQ(CountOps(after), (std::map<std::string, int>{{"LayerNormalization", 2}}));
}

TEST(RecognizeLayerNorm, NotWhereAnInnerValueIsReadElsewhere) {
  TestGraph t;
  ValueId variance = kNoValue;
  const ValueId n = Normalised(t, t.Input("x", InputShape()), Form::kDiv, true, false, &variance);
  t.Output(n);
  t.Output(variance);
  EXPECT_EQ(CountOps(RewriteAndCompare(t.graph, kPass, kFeeds))["LayerNormalization"], 0);
}

TEST(RecognizeLayerNorm, NotOverOtherAxesOrPowers) {
  TestGraph t;
  const ValueId x = t.Input("x", InputShape());
  const auto normalise = [&](std::vector<int64_t> axes, float power) {
    const ValueId d = t.Op("Sub", {x, Mean(t, x, axes)});
    const ValueId v = Mean(t, t.Op("Pow", {d, t.Scalar(power)}), axes);
    return t.Op("Div", {d, t.Op("Sqrt", {t.Op("Add", {v, t.Scalar(1e-5f)})})});
  };
  t.Output(normalise({1}, 2));
  t.Output(normalise({1, 2}, 2));
  t.Output(normalise({2}, 4));
  EXPECT_EQ(CountOps(RewriteAndCompare(t.graph, kPass, kFeeds))["LayerNormalization"], 0);
}

}  // namespace
}  // namespace tamis
