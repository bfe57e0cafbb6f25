#include "src/passes/pass_log.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "src/passes/test_graph.h"

namespace tamis {
namespace {

const PassRecord* RecordOf(const std::vector<PassRecord>& records, std::string_view name) {
  const auto found = std::find_if(records.begin(), records.end(), [&](const auto& r) { return r.name == name; });
  return found == records.end() ? nullptr : &*found;
}

TEST(PassLog, CountsFindingsOfOneKindTogether) {
  Graph graph;
  PassLog log;
  for (int i = 0; i < 5; ++i) {
    log.Add(FindingKind::kMatched, "Gelu", "", graph, graph.AddValue("v" + std::to_string(i)));
  }
  log.Add(FindingKind::kMissed, "Gelu", "another node reads a part of it", graph, 1);
  const auto findings = log.Take();
  ASSERT_EQ(findings.size(), 2u);
  EXPECT_EQ(findings[0].count, 5);
  EXPECT_EQ(findings[0].examples, (std::vector<std::string>{"v0", "v1", "v2"}));
  EXPECT_EQ(findings[1].kind, FindingKind::kMissed);
  EXPECT_EQ(findings[1].examples, std::vector<std::string>{"v1"});
}

// x . w, with its activation read a second time inside.
TEST(PassRecords, SayWhatMatchedWhatNearlyDidAndWhatChanged) {
  TestGraph t;
  const ValueId x = t.Input("x", {3, 8});
  const auto gelu = [&](ValueId from, bool shared) {
    const ValueId erf = t.Op("Erf", {t.Op("Div", {from, t.Scalar(1.4142135f)})});
    if (shared) t.Output(erf);
    return t.Op("Mul", {t.Op("Mul", {from, t.Op("Add", {erf, t.Scalar(1)})}), t.Scalar(0.5f)});
  };
  const ValueId first = gelu(t.Op("MatMul", {x, t.Weight({8, 8})}), false);
  t.Output(gelu(t.Op("MatMul", {first, t.Weight({8, 8})}), true));
  std::vector<PassRecord> records;
  const auto fused = Fuse(t.graph, {}, &records);
  ASSERT_TRUE(fused.ok()) << fused.status().message();
  const PassRecord* activations = RecordOf(records, "recognize_activations");
  ASSERT_NE(activations, nullptr);
  ASSERT_EQ(activations->findings.size(), 2u);
  EXPECT_EQ(activations->findings[0].kind, FindingKind::kMatched);
  EXPECT_EQ(activations->findings[0].what, "Gelu");
  EXPECT_EQ(activations->findings[0].examples, std::vector<std::string>{t.graph.value(first).name});
  EXPECT_EQ(activations->findings[1].kind, FindingKind::kMissed);
  EXPECT_EQ(activations->findings[1].reason, "another node reads a part of it");
  EXPECT_EQ(activations->operators.at("Gelu"), 1);
  EXPECT_EQ(activations->operators.at("Erf"), -1);
  EXPECT_EQ(activations->nodes_before - activations->nodes_after, 4);
  const PassRecord* epilogue = RecordOf(records, "fuse_epilogue");
  ASSERT_NE(epilogue, nullptr);
  EXPECT_EQ(epilogue->operators.at("Gelu"), -1);
}

TEST(PassRecords, ASkippedPassIsListedAndChangesNothing) {
  TestGraph t;
  t.Output(t.Op("Relu", {t.Op("MatMul", {t.Input("x", {3, 8}), t.Weight({8, 8})})}));
  std::vector<PassRecord> records;
  const auto fused = Fuse(t.graph, {.skip = {"fuse_epilogue"}}, &records);
  ASSERT_TRUE(fused.ok()) << fused.status().message();
  const PassRecord* epilogue = RecordOf(records, "fuse_epilogue");
  ASSERT_NE(epilogue, nullptr);
  EXPECT_TRUE(epilogue->skipped);
  EXPECT_EQ(epilogue->nodes_before, epilogue->nodes_after);
  EXPECT_EQ(CountOps(*fused), (std::map<std::string, int>{{"tamis.Linear", 1}, {"Relu", 1}}));
}

TEST(PassRecords, UnknownNamesAreListedWithTheKnownOnes) {
  TestGraph t;
  t.Output(t.Op("Relu", {t.Input("x", {3})}));
  const auto fused = Fuse(t.graph, {.skip = {"fuse_everything", "fold_constants", "guess"}});
  ASSERT_FALSE(fused.ok());
  const std::string message(fused.status().message());
  EXPECT_NE(message.find("'fuse_everything', 'guess'"), std::string::npos) << message;
  for (const std::string& name : PassNames()) EXPECT_NE(message.find(name), std::string::npos) << name;
}

}  // namespace
}  // namespace tamis
