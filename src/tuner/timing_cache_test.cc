#include "src/tuner/timing_cache.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "src/base/hash.h"
#include "src/kernels/kernel_revision.h"
#include "src/tuner/tuner.h"

namespace tamis {
namespace {

class TimingCacheTest : public ::testing::Test {
 protected:
  TimingCacheTest() {
    folder_ = std::filesystem::temp_directory_path() / ("tamis_cache_test_" + std::to_string(getpid()));
    std::filesystem::create_directories(folder_);
    node_.op = "Linear";
    node_.domain = kTamisDomain;
    problem_.node = &node_;
    problem_.inputs = {{DType::kFloat32, {4, 8}}, {DType::kFloat32, {6, 8}}};
    problem_.outputs = {{DType::kFloat32, {4, 6}}};
  }
  ~TimingCacheTest() override { std::filesystem::remove_all(folder_); }

  std::string Path(const char* name) const { return (folder_ / name).string(); }
  static std::vector<TimedKernel> Times(double a, double b, double spread, int64_t samples = 10) {
    return {{"a", a, "", spread, samples}, {"b", b, "", spread, samples}};
  }

  std::filesystem::path folder_;
  Node node_;
  Problem problem_;
  const std::vector<std::string> kernels_ = {"a", "b"};
};

// Times of a kernel whose code has changed are measured again, those of the others are not.
TEST_F(TimingCacheTest, ForgetsKernelsThatHaveChanged) {
  const std::string key = TimingCache::Key(problem_);
  const std::string changed = "gemm24_reference", same = "binary_sse2";
  ASSERT_NE(KernelRevision(changed), 0U);
  ASSERT_NE(KernelRevision(changed), KernelRevision(same));
  EXPECT_EQ(KernelRevision("no_such_kernel"), 0U);
  {
    TimingCache cache(Path("r.tsv"));
    cache.Add(key, problem_, {{changed, 1, "", 0.1, 10}, {same, 2, "", 0.1, 10}});
    ASSERT_TRUE(cache.Save().ok());
  }
  EXPECT_TRUE(TimingCache(Path("r.tsv")).Find(key, {changed, same}));
  std::stringstream text;
  text << std::ifstream(Path("r.tsv")).rdbuf();
  std::string lines = text.str();
  const std::string revision = HexString(KernelRevision(changed));
  ASSERT_NE(lines.find(revision), std::string::npos);
  lines.replace(lines.find(revision), revision.size(), HexString(KernelRevision(changed) + 1));
  std::ofstream(Path("r.tsv")) << lines;
  const TimingCache cache(Path("r.tsv"));
  EXPECT_FALSE(cache.Find(key, {changed}));
  EXPECT_TRUE(cache.Find(key, {same}));
  EXPECT_TRUE(TimingCache::Open(Path("r.tsv")).ok());
}

TEST_F(TimingCacheTest, KeepsWhatItWasGiven) {
  const std::string key = TimingCache::Key(problem_);
  {
    TimingCache cache(Path("c.tsv"));
    auto times = Times(0.25, 0.5, 0.1);
    times.push_back({"c", 0, "crashed\twhile it was timed", 0, 0});
    cache.Add(key, problem_, times);
    ASSERT_TRUE(cache.Save().ok());
  }
  const auto cache = TimingCache::Open(Path("c.tsv"));
  ASSERT_TRUE(cache.ok()) << cache.status().message();
  const auto found = cache->Find(key, {"a", "b", "c"});
  ASSERT_TRUE(found);
  EXPECT_EQ((*found)[0].seconds, 0.25);
  EXPECT_EQ((*found)[0].spread, 0.1);
  EXPECT_EQ((*found)[1].samples, 10);
  EXPECT_EQ((*found)[2].reason, "crashed while it was timed");
  EXPECT_FALSE(cache->Find(key, {"a", "d"}));
  const TimingEntry& entry = cache->entries().at(key);
  EXPECT_EQ(entry.problem, "Linear float32[4, 8] float32[6, 8], 1 threads");
  EXPECT_EQ(entry.device, Cpu().Fingerprint());
}

TEST_F(TimingCacheTest, NoisyEntriesAreTimedAgainButNotForever) {
  const std::string key = TimingCache::Key(problem_);
  TimingCache cache("");
  cache.Add(key, problem_, Times(1, 2, 0.9));
  EXPECT_FALSE(cache.Find(key, kernels_));
  EXPECT_TRUE(cache.Find(key, kernels_, true));
  cache.Add(key, problem_, Times(3, 4, 0.6));
  EXPECT_FALSE(cache.Find(key, kernels_));
  cache.Add(key, problem_, Times(5, 6, 0.8));
  const auto found = cache.Find(key, kernels_);
  ASSERT_TRUE(found);
  EXPECT_EQ((*found)[0].seconds, 3);  // the calmest of the three
}

TEST_F(TimingCacheTest, NoisyTimesOfFormerCandidatesHoldNothingUpForever) {
  const std::string key = TimingCache::Key(problem_);
  TimingCache cache("");
  auto former = Times(1, 2, 0.1);
  former.push_back({"former", 3, "", 0.9, 10});
  cache.Add(key, problem_, former);
  for (int i = 1; i < TimingEntry::kMaxAttempts; ++i) {
    EXPECT_FALSE(cache.Find(key, kernels_));
    cache.Add(key, problem_, Times(1, 2, 0.1));
  }
  EXPECT_TRUE(cache.Find(key, kernels_));
}

TEST_F(TimingCacheTest, MergeKeepsTheCalmerAndThenTheLonger) {
  const std::string key = TimingCache::Key(problem_);
  TimingCache a(""), b(""), c("");
  a.Add(key, problem_, Times(1, 2, 0.2));
  b.Add(key, problem_, Times(3, 4, 0.1));
  b.Add("other", problem_, Times(5, 6, 0.1));
  c.Add(key, problem_, Times(7, 8, 0.1, 50));
  EXPECT_EQ(a.Merge(b), 2u);
  EXPECT_EQ((*a.Find(key, kernels_))[0].seconds, 3);
  EXPECT_TRUE(a.Find("other", kernels_));
  EXPECT_EQ(a.Merge(c), 1u);
  EXPECT_EQ((*a.Find(key, kernels_))[0].seconds, 7);
  EXPECT_EQ(a.Merge(b), 0u);
}

TEST_F(TimingCacheTest, TwoProcessesThatSaveBothKeepTheirs) {
  TimingCache a(Path("shared.tsv")), b(Path("shared.tsv"));
  a.Add("one", problem_, Times(1, 2, 0.1));
  b.Add("two", problem_, Times(3, 4, 0.1));
  ASSERT_TRUE(a.Save().ok());
  ASSERT_TRUE(b.Save().ok());
  const auto both = TimingCache::Open(Path("shared.tsv"));
  ASSERT_TRUE(both.ok());
  EXPECT_TRUE(both->Find("one", kernels_) && both->Find("two", kernels_));
}

TEST_F(TimingCacheTest, ReadsTheFirstVersionAndSkipsWhatItCannotRead) {
  std::ofstream(Path("old.tsv")) << "key\ta\t0.5\t\nkey\tb\tnonsense\t\n\nkey\tb\t-1\t\nkey\tc\t0\tcrashed\n";
  const auto cache = TimingCache::Open(Path("old.tsv"));
  ASSERT_TRUE(cache.ok()) << cache.status().message();
  const auto found = cache->Find("key", {"a", "c"});
  ASSERT_TRUE(found);
  EXPECT_EQ((*found)[0].seconds, 0.5);
  EXPECT_EQ((*found)[1].reason, "crashed");
  EXPECT_FALSE(cache->Find("key", {"b"}));
}

TEST_F(TimingCacheTest, PruneDropsWhatItIsTold) {
  TimingCache cache("");
  cache.Add("one", problem_, Times(1, 2, 0.1));
  cache.Add("two", problem_, Times(3, 4, 0.1));
  EXPECT_EQ(cache.Prune([](const TimingEntry&, const TimedKernel& t) { return t.kernel == "a" || t.seconds > 3; }), 3u);
  EXPECT_EQ(cache.entries().size(), 1u);
}

// Two nodes of x.
Graph TanhAndExp() {
  Graph graph;
  graph.opsets[""] = 17;
  graph.inputs = {graph.AddValue("x", Type::Tensor(DType::kFloat32, {64}))};
  for (const char* op : {"Tanh", "Exp"}) {
    Node node;
    node.op = op;
    node.inputs = {graph.inputs[0]};
    node.outputs = {graph.AddValue(op, Type::Tensor(DType::kFloat32, {64}))};
    graph.outputs.push_back(node.outputs[0]);
    graph.AddNode(std::move(node));
  }
  return graph;
}

TEST_F(TimingCacheTest, ABusyMachineIsSaidOnceForAllThatWasTuned) {
  const Graph graph = TanhAndExp();
  TunerOptions options;
  options.cache_path = Path("busy.tsv");
  {
    Tuner tuner(options);
    ASSERT_TRUE(tuner.Tune(std::span(&graph, 1)).ok());
  }
  // The same times, from a machine that was busy whenever it was asked.
  std::stringstream busy;
  {
    std::ifstream file(options.cache_path);
    for (std::string line; std::getline(file, line);) {
      std::vector<std::string> fields;
      std::stringstream parts(line);
      for (std::string field; std::getline(parts, field, '\t');) fields.push_back(field);
      if (fields.size() > 5) {
        fields[3] = "1";
        fields[5] = std::to_string(TimingEntry::kMaxAttempts);
      }
      for (size_t i = 0; i < fields.size(); ++i) busy << (i == 0 ? "" : "\t") << fields[i];
      busy << "\n";
    }
  }
  std::ofstream(options.cache_path) << busy.str();
  Tuner tuner(options);
  for (int i = 0; i < 2; ++i) ASSERT_TRUE(tuner.Tune(std::span(&graph, 1)).ok());
  ASSERT_EQ(tuner.notices().size(), 1u);
  EXPECT_NE(tuner.notices()[0].find("of 2 different nodes 2"), std::string::npos) << tuner.notices()[0];
}

TEST_F(TimingCacheTest, WhenTheTimeIsUpTheCostModelChooses) {
  const Graph graph = TanhAndExp();
  TunerOptions options;
  options.time_budget = 1e-9;
  Tuner tuner(options);
  const auto tuned = tuner.Tune(std::span(&graph, 1));
  ASSERT_TRUE(tuned.ok()) << tuned.status().message();
  ASSERT_EQ((*tuned)[0].size(), 2u);
  for (const TunedNode& node : (*tuned)[0]) {
    EXPECT_TRUE(node.predicted);
    EXPECT_FALSE(node.kernel.empty());
  }
  ASSERT_EQ(tuner.notices().size(), 1u);
  EXPECT_NE(tuner.notices()[0].find("2 of 2 nodes"), std::string::npos) << tuner.notices()[0];
}

}  // namespace
}  // namespace tamis
