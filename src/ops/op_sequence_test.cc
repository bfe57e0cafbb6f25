// Operators on sequences, optionals and regions, one node at a time.
#include <numeric>

#include "src/ops/op_pieces.h"
#include "src/ops/op_testing.h"

namespace tamis::op_testing {
namespace {

Datum Seq(std::vector<Tensor> tensors) {
  std::vector<Datum> elements;
  for (Tensor& tensor : tensors) elements.emplace_back(std::move(tensor));
  return Datum::Sequence(std::move(elements));
}

Tensor Int(int64_t value) {
  return Tensor::Of<int64_t>(DType::kInt64, {}, std::span<const int64_t>(&value, 1));
}

// An empty optional stands for an omitted input.
Result<std::vector<Datum>> Apply(const OneNode& spec, const std::vector<Datum>& inputs, RegionRunner* regions = nullptr,
                                 std::vector<Region> bodies = {}) {
  Node node = MakeNode(spec);
  node.regions = std::move(bodies);
  std::vector<const Datum*> pointers;
  for (size_t i = 0; i < inputs.size(); ++i) {
    pointers.push_back(inputs[i].IsNone() ? nullptr : &inputs[i]);
    node.inputs.push_back(inputs[i].IsNone() ? kNoValue : static_cast<ValueId>(spec.outputs + i));
  }
  return EvaluateData(node, spec.opset, pointers, {}, regions);
}

std::string Error(const OneNode& spec, const std::vector<Datum>& inputs) {
  const auto result = Apply(spec, inputs);
  return result.ok() ? "no error" : result.status().message();
}

std::vector<std::vector<float>> Contents(const Datum& sequence) {
  std::vector<std::vector<float>> contents;
  for (const Datum& element : sequence.elements()) contents.push_back(Values(element.tensor()));
  return contents;
}

const Tensor kA = Floats({2}, {1, 2});
const Tensor kB = Floats({1}, {3});
const Tensor kC = Floats({0}, {});

TEST(Sequences, AreBuiltIndexedAndCounted) {
  const auto made = Apply({"SequenceConstruct", "", {}}, {kA, kB, kC});
  ASSERT_TRUE(made.ok()) << made.status().message();
  const Datum sequence = (*made)[0];
  EXPECT_EQ(Contents(sequence), (std::vector<std::vector<float>>{{1, 2}, {3}, {}}));
  EXPECT_EQ((*Apply({"SequenceLength", "", {}}, {sequence}))[0].tensor().ToInt64s()[0], 3);
  EXPECT_EQ(Values((*Apply({"SequenceAt", "", {}}, {sequence, Int(-2)}))[0].tensor()), std::vector<float>{3});
  EXPECT_EQ(Contents((*Apply({"SequenceInsert", "", {}}, {sequence, kB, Int(0)}))[0]),
            (std::vector<std::vector<float>>{{3}, {1, 2}, {3}, {}}));
  EXPECT_EQ(Contents((*Apply({"SequenceInsert", "", {}}, {sequence, kB}))[0]).size(), 4u);
  EXPECT_EQ(Contents((*Apply({"SequenceErase", "", {}}, {sequence, Int(1)}))[0]),
            (std::vector<std::vector<float>>{{1, 2}, {}}));
  EXPECT_EQ(Contents((*Apply({"SequenceErase", "", {}}, {sequence}))[0]),
            (std::vector<std::vector<float>>{{1, 2}, {3}}));
  // The sequence that all of these read is as it was.
  EXPECT_EQ(sequence.elements().size(), 3u);
}

TEST(Sequences, WrongPositionsAndElementsAreErrors) {
  const Datum sequence = Seq({kA, kB});
  EXPECT_NE(Error({"SequenceAt", "", {}}, {sequence, Int(2)}).find("position 2 is outside"), std::string::npos);
  EXPECT_NE(Error({"SequenceErase", "", {}}, {Seq({})}).find("0 elements"), std::string::npos);
  EXPECT_NE(Error({"SequenceInsert", "", {}}, {sequence, Int(1)}).find("int64"), std::string::npos);
  EXPECT_NE(Error({"SequenceAt", "", {}}, {kA, Int(0)}).find("must be a sequence"), std::string::npos);
  EXPECT_NE(Error({"ConcatFromSequence", "", {{"axis", int64_t{0}}}}, {Seq({})}).find("empty"), std::string::npos);
  EXPECT_NE(Error({"ConcatFromSequence", "", {{"axis", int64_t{0}}, {"new_axis", int64_t{1}}}}, {sequence}).find("fit"),
            std::string::npos);
  EXPECT_NE(Error({"SplitToSequence", "", {}}, {kA, Tensor::Int64s(std::vector<int64_t>{1, 2})}).find("add up"),
            std::string::npos);
  EXPECT_NE(Error({"SplitToSequence", "", {}}, {kA, Int(0)}).find("0 elements"), std::string::npos);
}

TEST(Sequences, SplitAndConcatAreInverse) {
  const Tensor data = CaseMaker(7).Floats({3, 5, 2});
  for (int64_t axis : {0, 1, 2, -2}) {
    const auto split = Apply({"SplitToSequence", "", {{"axis", axis}}}, {data, Int(2)});
    ASSERT_TRUE(split.ok()) << split.status().message();
    const auto joined = Apply({"ConcatFromSequence", "", {{"axis", axis}}}, {(*split)[0]});
    ASSERT_TRUE(joined.ok()) << joined.status().message();
    EXPECT_EQ((*joined)[0].tensor().dims(), data.dims());
    EXPECT_EQ(Values((*joined)[0].tensor()), Values(data)) << axis;
    const auto single = Apply({"SplitToSequence", "", {{"axis", axis}, {"keepdims", int64_t{0}}}}, {data});
    const auto stacked = Apply({"ConcatFromSequence", "", {{"axis", axis}, {"new_axis", int64_t{1}}}}, {(*single)[0]});
    ASSERT_TRUE(stacked.ok()) << stacked.status().message();
    EXPECT_EQ(Values((*stacked)[0].tensor()), Values(data)) << axis;
  }
}

TEST(Sequences, HoldStrings) {
  const Tensor words = Tensor::Strings({2, 2}, {"a", "b", "", "a long word that owns memory of its own"});
  const auto split = Apply({"SplitToSequence", "", {{"axis", int64_t{1}}}}, {words});
  ASSERT_TRUE(split.ok()) << split.status().message();
  EXPECT_EQ((*split)[0].elements()[1].tensor().Span<std::string>()[1], words.Span<std::string>()[3]);
  const auto joined = Apply({"ConcatFromSequence", "", {{"axis", int64_t{1}}}}, {(*split)[0]});
  ASSERT_TRUE(joined.ok()) << joined.status().message();
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_EQ((*joined)[0].tensor().Span<std::string>()[i], words.Span<std::string>()[i]);
  }
}

TEST(Optionals, HoldOneElementOrNone) {
  const OneNode has = {"OptionalHasElement", "", {}};
  EXPECT_FALSE(*(*Apply(has, {}))[0].tensor().Data<bool>());
  EXPECT_TRUE(*(*Apply(has, {kA}))[0].tensor().Data<bool>());
  EXPECT_TRUE((*Apply({"Optional", "", {}}, {}))[0].IsNone());
  const auto held = Apply({"Optional", "", {}}, {Seq({kA})});
  EXPECT_EQ(Contents((*Apply({"OptionalGetElement", "", {}}, {(*held)[0]}))[0]), Contents(Seq({kA})));
  EXPECT_NE(Error({"OptionalGetElement", "", {}}, {Datum()}).find("empty"), std::string::npos);
}

// Stands for a body.
class Body : public RegionRunner {
 public:
  using Function = std::function<std::vector<Datum>(std::span<const Datum>)>;
  explicit Body(Function function) : function_(std::move(function)) {}
  Result<std::vector<Datum>> Run(size_t, std::span<const Datum> inputs) override {
    ++runs;
    return function_(inputs);
  }
  int64_t runs = 0;

 private:
  Function function_;
};

// As many outputs as the body gives; operators ask for their names and types.
std::vector<Region> OneRegion(size_t outputs, const Type& type = F32({})) {
  auto graph = std::make_unique<Graph>();
  for (size_t i = 0; i < outputs; ++i) graph->outputs.push_back(graph->AddValue("result" + std::to_string(i), type));
  std::vector<Region> regions;
  regions.push_back({"body", std::move(graph), {}});
  return regions;
}

Tensor Bool(bool value) {
  return Tensor::Of<bool>(DType::kBool, {}, std::span<const bool>(&value, 1));
}

TEST(Loop, CarriesCollectsAndStops) {
  // The sum of iteration numbers, until it passes 10.
  Body body([](std::span<const Datum> in) {
    const float sum = *in[2].tensor().Data<float>() + static_cast<float>(in[0].tensor().ToInt64s()[0]);
    return std::vector<Datum>{Bool(sum <= 10), Tensor::Float(sum), Tensor::Float(sum)};
  });
  OneNode loop = {"Loop", "", {}, 21, 2};
  auto results = Apply(loop, {Int(1000), Bool(true), Tensor::Float(0)}, &body, OneRegion(3));
  ASSERT_TRUE(results.ok()) << results.status().message();
  EXPECT_EQ(*(*results)[0].tensor().Data<float>(), 15);
  EXPECT_EQ(Values((*results)[1].tensor()), (std::vector<float>{0, 1, 3, 6, 10, 15}));
  results = Apply(loop, {Datum(), Datum(), Tensor::Float(0)}, &body, OneRegion(3));
  EXPECT_EQ((*results)[1].tensor().dims(), Dims{6});
  results = Apply(loop, {Int(2), Datum(), Tensor::Float(0)}, &body, OneRegion(3));
  EXPECT_EQ(Values((*results)[1].tensor()), (std::vector<float>{0, 1}));
}

TEST(Loop, OfNoIterationsGivesWhatItWasGiven) {
  Body body([](std::span<const Datum>) { return std::vector<Datum>(); });
  OneNode loop = {"Loop", "", {}, 21, 2};
  for (const auto& [trips, condition] : {std::pair{Int(0), Bool(true)}, {Int(5), Bool(false)}, {Int(-3), Bool(true)}}) {
    const auto results =
        Apply(loop, {trips, condition, Tensor::Float(7)}, &body, OneRegion(3, F32({4, Dim::Symbol("n")})));
    ASSERT_TRUE(results.ok()) << results.status().message();
    EXPECT_EQ(*(*results)[0].tensor().Data<float>(), 7);
    EXPECT_EQ((*results)[1].tensor().dims(), (Dims{0, 4, 0}));
  }
  EXPECT_EQ(body.runs, 0);
}

TEST(Loop, CollectedShapesMustAgree) {
  Body body([](std::span<const Datum> in) {
    return std::vector<Datum>{Bool(true), Floats({in[0].tensor().ToInt64s()[0]}, {1, 2, 3})};
  });
  const auto results = Apply({"Loop", "", {}}, {Int(3), Datum()}, &body, OneRegion(2));
  ASSERT_FALSE(results.ok());
  EXPECT_NE(results.status().message().find("float32[1] in iteration 1 and float32[0] before"), std::string::npos)
      << results.status().message();
}

// Scans over every axis and direction against the same by hand: running sums of x over the elements along an axis.
TEST(Scan, ReadsAndWritesAlongAnyAxisInBothDirections) {
  const Dims dims = {3, 4, 2};
  const Tensor x = CaseMaker(11).Floats(dims);
  Body body([](std::span<const Datum> in) {
    Tensor sum = in[0].tensor().Clone();
    for (int64_t i = 0; i < sum.NumElements(); ++i) sum.Data<float>()[i] += in[1].tensor().Data<float>()[i];
    return std::vector<Datum>{sum, sum};
  });
  for (int64_t in_axis : {0, 1, 2, -1}) {
    for (int64_t out_axis : {0, 2, -3}) {
      for (int direction = 0; direction < 4; ++direction) {
        const size_t axis = static_cast<size_t>(in_axis < 0 ? in_axis + 3 : in_axis);
        const size_t to_axis = static_cast<size_t>(out_axis < 0 ? out_axis + 3 : out_axis);
        const bool backwards = (direction & 1) != 0;
        const bool reversed = (direction & 2) != 0;
        Dims piece = dims;
        piece.erase(piece.begin() + static_cast<std::ptrdiff_t>(axis));
        const OneNode scan = {"Scan",
                              "",
                              {{"num_scan_inputs", int64_t{1}},
                               {"scan_input_axes", std::vector<int64_t>{in_axis}},
                               {"scan_input_directions", std::vector<int64_t>{backwards ? 1 : 0}},
                               {"scan_output_axes", std::vector<int64_t>{out_axis}},
                               {"scan_output_directions", std::vector<int64_t>{reversed ? 1 : 0}}},
                              21,
                              2};
        const auto results = Apply(scan, {Tensor(DType::kFloat32, piece), x}, &body, OneRegion(2));
        ASSERT_TRUE(results.ok()) << results.status().message();
        const Tensor& collected = (*results)[1].tensor();
        const auto from = RowMajorStrides(dims);
        const auto to = RowMajorStrides(collected.dims());
        const int64_t n = dims[axis];
        for (int64_t a = 0; a < piece[0]; ++a) {
          for (int64_t b = 0; b < piece[1]; ++b) {
            float sum = 0;
            for (int64_t i = 0; i < n; ++i) {
              std::vector<int64_t> at = {a, b};
              at.insert(at.begin() + static_cast<std::ptrdiff_t>(axis), backwards ? n - 1 - i : i);
              sum += x.Data<float>()[at[0] * from[0] + at[1] * from[1] + at[2] * from[2]];
              at = {a, b};
              at.insert(at.begin() + static_cast<std::ptrdiff_t>(to_axis), reversed ? n - 1 - i : i);
              EXPECT_EQ(collected.Data<float>()[at[0] * to[0] + at[1] * to[1] + at[2] * to[2]], sum);
            }
          }
        }
      }
    }
  }
}

TEST(SequenceMap, AppliesTheBodyToEachElement) {
  Body body([](std::span<const Datum> in) {
    return std::vector<Datum>{Tensor::Float(*in[0].tensor().Data<float>() * *in[1].tensor().Data<float>())};
  });
  const Datum sequence = Seq({Tensor::Float(2), Tensor::Float(3)});
  auto results = Apply({"SequenceMap", "", {}}, {sequence, Tensor::Float(10)}, &body, OneRegion(1));
  ASSERT_TRUE(results.ok()) << results.status().message();
  EXPECT_EQ(Contents((*results)[0]), (std::vector<std::vector<float>>{{20}, {30}}));
  results = Apply({"SequenceMap", "", {}}, {sequence, sequence}, &body, OneRegion(1));
  EXPECT_EQ(Contents((*results)[0]), (std::vector<std::vector<float>>{{4}, {9}}));
  results = Apply({"SequenceMap", "", {}}, {sequence, Seq({kA})}, &body, OneRegion(1));
  EXPECT_NE(results.status().message().find("input 1 has 1 elements, input 0 has 2"), std::string::npos);
}

}  // namespace
}  // namespace tamis::op_testing
