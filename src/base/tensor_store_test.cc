#include "src/base/tensor_store.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <numeric>

namespace tamis {
namespace {

Tensor Counting(int64_t rows, int64_t columns, float first) {
  Tensor tensor(DType::kFloat32, {rows, columns});
  std::iota(tensor.Data<float>(), tensor.Data<float>() + tensor.NumElements(), first);
  return tensor;
}

int64_t Resident(const Tensor& tensor) {
  const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  // mincore tells of the system's cache, this process's pages are in smaps.
  std::ifstream smaps("/proc/self/smaps");
  std::string line;
  const auto address = reinterpret_cast<uintptr_t>(tensor.raw()) / page * page;
  char wanted[32];
  std::snprintf(wanted, sizeof(wanted), "%lx-", static_cast<unsigned long>(address));
  bool here = false;
  while (std::getline(smaps, line)) {
    if (line.rfind(wanted, 0) == 0) here = true;
    if (here && line.rfind("Rss:", 0) == 0) return std::atoll(line.c_str() + 4) * 1024;
  }
  return -1;
}

TEST(TensorStoreTest, ElementsOutliveTheStoreAndRestsKeepThem) {
  const Tensor original = Counting(300, 1000, 0.5F);
  Tensor kept, view;
  {
    auto store = TensorStore::Make();
    ASSERT_TRUE(store.ok()) << store.status().message();
    auto result = (*store)->Keep(original);
    ASSERT_TRUE(result.ok()) << result.status().message();
    kept = *result;
    const auto again = (*store)->Keep(kept);
    ASSERT_TRUE(again.ok());
    EXPECT_EQ(again->raw(), kept.raw());  // it is there already
  }
  view = kept.Reshaped({1000, 300});
  EXPECT_NE(kept.raw(), original.raw());
  EXPECT_EQ(Resident(kept), 0);
  for (int round = 0; round < 2; ++round) {
    const std::span<const float> ours = kept.Span<float>(), expected = original.Span<float>();
    EXPECT_TRUE(std::equal(ours.begin(), ours.end(), expected.begin()));
    EXPECT_GE(Resident(kept), static_cast<int64_t>(kept.NumBytes()));
    TensorStore::Rest(view);  // any view of it
    EXPECT_EQ(Resident(kept), 0);
  }
  kept.Data<float>()[7] = -1;  // what is written stays
  TensorStore::Rest(kept);
  EXPECT_EQ(kept.Data<float>()[7], -1);
}

TEST(TensorStoreTest, SmallTensorsAndStringsStayInMemory) {
  auto store = TensorStore::Make();
  ASSERT_TRUE(store.ok());
  const Tensor small = Counting(2, 3, 0), text = Tensor::Strings({1}, {"a"});
  EXPECT_EQ((*store)->Keep(small)->raw(), small.raw());
  EXPECT_TRUE((*store)->Keep(text).ok());
  TensorStore::Rest(small);
  EXPECT_EQ(small.Data<float>()[5], 5);
}

TEST(TensorStoreTest, AFolderThatIsNotThereIsNamed) {
  const char* const before = std::getenv("TMPDIR");
  const std::string saved = before == nullptr ? "" : before;
  setenv("TMPDIR", "/nowhere/at/all", 1);
  const auto store = TensorStore::Make();
  if (before == nullptr) {
    unsetenv("TMPDIR");
  } else {
    setenv("TMPDIR", saved.c_str(), 1);
  }
  ASSERT_FALSE(store.ok());
  EXPECT_EQ(store.status().kind(), ErrorKind::kRuntime);
  EXPECT_NE(store.status().message().find("/nowhere/at/all"), std::string::npos);
  EXPECT_NE(store.status().message().find("TMPDIR"), std::string::npos);
}

TEST(TensorStoreTest, MapsFiles) {
  const std::string path = testing::TempDir() + "mapped";
  std::ofstream(path, std::ios::binary) << std::string(200'000, 'x') << "end";
  {
    const auto file = MapFile(path);
    ASSERT_TRUE(file.ok()) << file.status().message();
    ASSERT_EQ(file->size, 200'003U);
    EXPECT_EQ(std::string(reinterpret_cast<const char*>(file->data.get()) + 200'000, 3), "end");
    const Tensor view = Tensor::View(DType::kUInt8, {200'000}, file->data.get(), file->data);
    TensorStore::Rest(view);
    EXPECT_EQ(view.Data<char>()[100'000], 'x');
  }
  EXPECT_FALSE(MapFile(path + ".not").ok());
  EXPECT_FALSE(MapFile(testing::TempDir()).ok());
  unlink(path.c_str());
}

}  // namespace
}  // namespace tamis
