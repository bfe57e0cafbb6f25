#include "src/compiler/optimize/sensitivity_cache.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace tamis {
namespace {

class SensitivityCacheTest : public ::testing::Test {
 protected:
  void SetUp() override { path_ = ::testing::TempDir() + "sensitivity/cache.tsv"; }
  void TearDown() override { std::filesystem::remove_all(std::filesystem::path(path_).parent_path()); }

  static Graph Network(float weight) {
    Graph graph;
    Tensor tensor(DType::kFloat32, {2, 2});
    tensor.Data<float>()[3] = weight;
    graph.AddConstant("w", std::move(tensor));
    return graph;
  }

  std::string path_;
};

TEST_F(SensitivityCacheTest, TheKeyFollowsWhateverMattersAndNothingElse) {
  const NamedTensors samples = {{"x", Tensor(DType::kFloat32, {4, 2})}};
  Tensor other(DType::kFloat32, {4, 2});
  other.Data<float>()[7] = 1;
  const uint64_t hash = SensitivityCache::SamplesHash(std::vector<NamedTensors>{samples});
  const std::string key = SensitivityCache::Key("network", hash, "w: int8", Network(1));
  EXPECT_EQ(key, SensitivityCache::Key("network", hash, "w: int8", Network(1)));
  EXPECT_NE(key, SensitivityCache::Key("network", hash, "w: int8", Network(2)));
  EXPECT_NE(key, SensitivityCache::Key("network", hash, "w: bf16", Network(1)));
  EXPECT_NE(key, SensitivityCache::Key("another", hash, "w: int8", Network(1)));
  EXPECT_NE(hash, SensitivityCache::SamplesHash(std::vector<NamedTensors>{{{"x", other}}}));
  EXPECT_NE(hash, SensitivityCache::SamplesHash(std::vector<NamedTensors>{samples, samples}));
}

TEST_F(SensitivityCacheTest, IsKeptInAFileThatTwoMayWrite) {
  SensitivityCache one(path_), two(path_);
  EXPECT_FALSE(one.Find("a"));
  one.Add("a", {0.125, 0.5}, "net.onnx", "w: int8");
  two.Add("b", {0.25, 0}, "net.onnx", "w:\t2:4");
  ASSERT_TRUE(one.Save().ok());
  ASSERT_TRUE(two.Save().ok());
  const SensitivityCache again(path_);
  ASSERT_TRUE(again.Find("a") && again.Find("b"));
  EXPECT_EQ(again.Find("a")->cosine_loss, 0.125);
  EXPECT_EQ(again.Find("a")->divergence, 0.5);
  EXPECT_EQ(again.Find("b")->cosine_loss, 0.25);
}

TEST_F(SensitivityCacheTest, LinesThatCannotBeReadAreSkipped) {
  std::filesystem::create_directories(std::filesystem::path(path_).parent_path());
  std::ofstream(path_) << "tamis-sensitivity 1\na\tone\t2\tn\tw\nb\t0.5\t1\tn\tw\nc\t0.5\n";
  const SensitivityCache cache(path_);
  EXPECT_FALSE(cache.Find("a"));
  EXPECT_TRUE(cache.Find("b"));
  EXPECT_FALSE(cache.Find("c"));
  std::ofstream(path_) << "something else\nb\t0.5\t1\tn\tw\n";
  EXPECT_FALSE(SensitivityCache(path_).Find("b"));
}

TEST_F(SensitivityCacheTest, WithoutAPathItIsInMemoryOnly) {
  SensitivityCache cache("");
  cache.Add("a", {1, 2}, "", "");
  EXPECT_TRUE(cache.Save().ok());
  EXPECT_TRUE(cache.Find("a"));
  EXPECT_EQ(SensitivityCache::PathBeside(""), "");
  EXPECT_EQ(SensitivityCache::PathBeside("/x/timings.tsv").substr(0, 15), "/x/sensitivity-");
}

}  // namespace
}  // namespace tamis
