#include "src/compiler/samples/data_source.h"

#include <gtest/gtest.h>
#include <unistd.h>
#include <zip.h>

#include <filesystem>
#include <fstream>
#include <set>

#include "src/compiler/samples/data_source_decode.h"
#include "src/compiler/samples/npy.h"

namespace tamis {
namespace {

class DataSourceTest : public testing::Test {
 protected:
  void SetUp() override {
    root_ = std::filesystem::temp_directory_path() / fmt::format("tamis_data_{}", getpid());
    std::filesystem::remove_all(root_);
    std::filesystem::create_directories(root_);
  }
  void TearDown() override { std::filesystem::remove_all(root_); }

  std::string Path(const std::string& name) const { return (root_ / name).string(); }
  void WriteText(const std::string& name, const std::string& content) const {
    std::filesystem::create_directories(std::filesystem::path(Path(name)).parent_path());
    std::ofstream(Path(name), std::ios::binary) << content;
  }
  // A PPM of one colour.
  static std::string Ppm(int width, int height, int red, int green, int blue) {
    std::string text = fmt::format("P6\n# made by a test\n{} {}\n255\n", width, height);
    for (int i = 0; i < width * height; ++i) {
      for (const int c : {red, green, blue}) text += static_cast<char>(c);
    }
    return text;
  }
  static std::string Npy(const Tensor& tensor, const std::string& path) {
    EXPECT_TRUE(WriteNpy(path, tensor).ok());
    return path;
  }

  std::filesystem::path root_;
};

TensorSpec Spec(const std::string& name, DType dtype, Dims dims, std::vector<std::string> names = {}) {
  names.resize(dims.size());
  return {name, dtype, std::move(dims), std::move(names)};
}

const std::vector<TensorSpec> kTokens = {Spec("ids", DType::kInt64, {-1, -1}, {"batch", "seq"}),
                                         Spec("a/mask:0", DType::kInt64, {-1, -1}, {"batch", "seq"})};
const std::vector<TensorSpec> kImage = {Spec("image", DType::kFloat32, {-1, 3, 2, 2}, {"n"})};

TEST_F(DataSourceTest, ArraysByInputName) {
  Tensor ids(DType::kInt32, {5, 3}), mask(DType::kBool, {5, 3});
  for (int32_t i = 0; i < 15; ++i) ids.Data<int32_t>()[i] = i;
  mask.Data<uint8_t>()[4] = 1;
  Npy(ids, Path("ids.npy"));
  Npy(mask, Path("a_mask_0.npy"));
  Npy(Tensor::Int64s(std::vector<int64_t>{4, 3, 2, 1, 0}), Path("labels.npy"));
  const auto data = OpenDataSource(root_.string(), kTokens);
  ASSERT_TRUE(data.ok()) << data.status().message();
  EXPECT_EQ((*data)->size(), 5);
  EXPECT_EQ((*data)->labels(), (std::vector<int64_t>{4, 3, 2, 1, 0}));
  const auto batch = (*data)->Batch(std::vector<int64_t>{1, 4});
  ASSERT_TRUE(batch.ok());
  EXPECT_EQ(batch->at("ids").dtype(), DType::kInt64);
  EXPECT_EQ(batch->at("ids").ToInt64s(), (std::vector<int64_t>{3, 4, 5, 12, 13, 14}));
  EXPECT_EQ(batch->at("a/mask:0").ToInt64s(), (std::vector<int64_t>{0, 1, 0, 0, 0, 0}));
  const uint64_t before = (*data)->hash();
  ids.Data<int32_t>()[7] = 99;
  Npy(ids, Path("ids.npy"));
  EXPECT_NE((*OpenDataSource(root_.string(), kTokens))->hash(), before);
}

TEST_F(DataSourceTest, TellsOfArraysThatNoInputTakes) {
  Npy(Tensor(DType::kInt64, {5, 3}), Path("ids.npy"));
  Npy(Tensor(DType::kInt64, {5, 3}), Path("a_mask_0.npy"));
  for (const char* name : {"labels.npy", "classes.npy"}) Npy(Tensor::Int64s(std::vector<int64_t>(5)), Path(name));
  EXPECT_TRUE((*OpenDataSource(root_.string(), kTokens))->remarks().empty());
  Npy(Tensor(DType::kInt64, {5, 3}), Path("types.npy"));
  const auto data = OpenDataSource(root_.string(), kTokens);
  ASSERT_TRUE(data.ok()) << data.status().message();
  ASSERT_EQ((*data)->remarks().size(), 1U);
  EXPECT_NE((*data)->remarks()[0].find("types.npy is no input of this network"), std::string::npos);
}

TEST_F(DataSourceTest, OptionsOfImagesAreRefusedForArrays) {
  Npy(Tensor(DType::kInt64, {5, 3}), Path("ids.npy"));
  Npy(Tensor(DType::kInt64, {5, 3}), Path("a_mask_0.npy"));
  for (const DataOptions& options : {DataOptions{224, {}, {}}, DataOptions{0, {0.5F}, {0.5F}}}) {
    const auto data = OpenDataSource(root_.string(), kTokens, options);
    ASSERT_FALSE(data.ok());
    EXPECT_EQ(data.status().kind(), ErrorKind::kUser);
    const std::string named = options.image_size > 0 ? ": --image-size would" : ": --mean, --std would";
    EXPECT_NE(data.status().message().find(named), std::string::npos) << data.status().message();
  }
}

TEST_F(DataSourceTest, ListsEveryProblemOfAFolder) {
  const std::vector<TensorSpec> specs = {Spec("ids", DType::kInt64, {-1, -1}, {"batch", "seq"}),
                                         Spec("mask", DType::kInt64, {-1, -1}, {"batch", "seq"}),
                                         Spec("x", DType::kFloat32, {-1, 4}, {"batch"}),
                                         Spec("y", DType::kFloat32, {-1, 4}, {"batch"}),
                                         Spec("z", DType::kFloat32, {-1}, {"batch"}),
                                         Spec("w", DType::kFloat32, {-1}, {"batch"})};
  Npy(Tensor(DType::kInt64, {5, 3}), Path("ids.npy"));
  Npy(Tensor(DType::kInt64, {6, 4}), Path("mask.npy"));
  Npy(Tensor(DType::kFloat32, {5, 3}), Path("x.npy"));
  Tensor infinite(DType::kFloat32, {5, 4});
  infinite.Data<float>()[9] = std::numeric_limits<float>::infinity();
  Npy(infinite, Path("y.npy"));
  Npy(Tensor(DType::kFloat64, {5}), Path("w.npy"));
  Npy(Tensor(DType::kFloat32, {5}), Path("labels.npy"));
  const auto data = OpenDataSource(root_.string(), specs);
  ASSERT_FALSE(data.ok());
  EXPECT_EQ(data.status().kind(), ErrorKind::kUser);
  for (const std::string part :
       {"x.npy: shape [5, 3], the input takes [samples, 4]",
        "y.npy: 1 value is not finite (NaN or infinity), the first in sample 2",
        "input 'z' (float32) has no file z.npy", "w.npy: elements are float64, the input takes float32",
        "the number of samples is 6, but 5 in ids.npy", "dimension 'seq' is 4, but 3 in ids.npy",
        "labels.npy: float32 [5], expected integers"}) {
    EXPECT_NE(data.status().message().find(part), std::string::npos) << part << "\n" << data.status().message();
  }
}

TEST_F(DataSourceTest, ImagesInClassFolders) {
  WriteText("train/zebra/1.ppm", Ppm(2, 2, 255, 0, 51));
  WriteText("test/ape/7.PPM", Ppm(2, 2, 0, 255, 0));
  WriteText("test/ape/.hidden.ppm", "no image");
  WriteText("test/ape/readme.txt", "no image either");
  const DataOptions options = {0, {0.5F}, {0.5F, 1.0F, 2.0F}};
  const auto data = OpenDataSource(root_.string(), kImage, options);
  ASSERT_TRUE(data.ok()) << data.status().message();
  EXPECT_EQ((*data)->class_names(), (std::vector<std::string>{"ape", "zebra"}));
  EXPECT_EQ((*data)->labels(), (std::vector<int64_t>{0, 1}));
  const auto batch = (*data)->Batch(std::vector<int64_t>{1});
  ASSERT_TRUE(batch.ok());
  const Tensor& image = batch->at("image");
  EXPECT_EQ(image.dims(), (Dims{1, 3, 2, 2}));
  EXPECT_FLOAT_EQ(image.Data<float>()[0], 1);
  EXPECT_FLOAT_EQ(image.Data<float>()[4], -0.5F);
  EXPECT_FLOAT_EQ(image.Data<float>()[11], (0.2F - 0.5F) / 2);
  EXPECT_NE((*data)->hash(), (*OpenDataSource(root_.string(), kImage))->hash());
}

TEST_F(DataSourceTest, ImagesInAnArchive) {
  const std::string path = Path("images.zip"), red = Ppm(4, 2, 255, 0, 0), broken = "P6\n4 2\n255\nshort";
  zip_t* zip = zip_open(path.c_str(), ZIP_CREATE, nullptr);
  ASSERT_NE(zip, nullptr);
  for (const auto& [name, text] : {std::pair{"train/a/1.ppm", &red},
                                   {"test/a/2.ppm", &red},
                                   {"test/b/3.ppm", &broken},
                                   {"test/b/4.ppm", &broken},
                                   {"__MACOSX/b/3.ppm", &broken}}) {
    ASSERT_GE(zip_file_add(zip, name, zip_source_buffer(zip, text->data(), text->size(), 0), 0), 0);
  }
  ASSERT_EQ(zip_close(zip), 0);
  const auto all = OpenDataSource(path, kImage);
  ASSERT_TRUE(all.ok()) << all.status().message();
  EXPECT_EQ((*all)->size(), 4);
  const auto test = OpenDataSource(path + "/test", kImage);
  ASSERT_TRUE(test.ok()) << test.status().message();
  EXPECT_EQ((*test)->size(), 3);
  EXPECT_TRUE((*test)->Batch(std::vector<int64_t>{0}).ok());
  const auto damaged = (*test)->Batch(std::vector<int64_t>{0, 1, 2});
  ASSERT_FALSE(damaged.ok());
  EXPECT_NE(damaged.status().message().find("2 of 3 images"), std::string::npos);
  EXPECT_NE(damaged.status().message().find("b/3.ppm"), std::string::npos);
  EXPECT_NE(damaged.status().message().find("b/4.ppm"), std::string::npos);
  EXPECT_FALSE(OpenDataSource(path + "/nowhere", kImage).ok());
  WriteText("not.zip", "PK but no archive");
  EXPECT_FALSE(OpenDataSource(Path("not.zip"), kImage).ok());
  EXPECT_FALSE(OpenDataSource(Path("absent"), kImage).ok());
}

TEST_F(DataSourceTest, ArraysAreInFolders) {
  for (const char* name : {"samples.npz", "image.npy"}) {
    WriteText(name, "arrays");
    const auto data = OpenDataSource(Path(name), kImage);
    ASSERT_FALSE(data.ok());
    EXPECT_NE(data.status().message().find("give a folder that holds one .npy file for each input"), std::string::npos)
        << data.status().message();
  }
}

TEST_F(DataSourceTest, ImageOptionsMustFitTheNetwork) {
  WriteText("a/1.ppm", Ppm(2, 2, 0, 0, 0));
  const auto data = OpenDataSource(root_.string(), kImage, {5, {0.1F, 0.2F}, {0.0F}});
  ASSERT_FALSE(data.ok());
  for (const std::string part : {"--image-size 5, but the network takes 2 x 2", "--mean has 2 numbers for 3 channels",
                                 "--std must be positive"}) {
    EXPECT_NE(data.status().message().find(part), std::string::npos) << data.status().message();
  }
  const std::vector<TensorSpec> any = {Spec("image", DType::kFloat32, {4, 3, -1, -1}, {"", "", "h", "w"})};
  EXPECT_FALSE(OpenDataSource(root_.string(), any).ok());
  const auto sized = OpenDataSource(root_.string(), any, {6, {}, {}});
  ASSERT_TRUE(sized.ok());
  EXPECT_EQ((*sized)->fixed_batch(), 4);
  EXPECT_FALSE(ReadBatches(**sized, AllSamples(**sized), 1).ok());
  EXPECT_FALSE(OpenDataSource(root_.string(), kTokens).ok());
}

TEST(ImageTest, ShrinkingAveragesAndCropsTheCentre) {
  Image image{4, 8, 1, std::vector<uint8_t>(32, 10)};
  for (size_t y = 0; y < 4; ++y) image.pixels[y * 8] = image.pixels[y * 8 + 7] = 250;  // both ends are cropped away
  const Image small = CoverAndCrop(image, 2, 2);
  EXPECT_EQ(small.pixels, std::vector<uint8_t>(4, 10));
  Image ramp{1, 4, 1, {0, 100, 200, 250}};
  EXPECT_EQ(CoverAndCrop(ramp, 1, 4).pixels, ramp.pixels);
  EXPECT_EQ(CoverAndCrop(image, 8, 16).pixels.size(), 128U);
  EXPECT_FALSE(DecodeImage("P6 99999999 99999999 255 ", 3).ok());
  EXPECT_FALSE(DecodeImage("\xff\xd8\xff\xe0 no jpeg", 3).ok());
  EXPECT_FALSE(DecodeImage("\x89PNG\r\n\x1a\n no png", 3).ok());
  EXPECT_FALSE(DecodeImage("", 1).ok());
}

class Counted final : public DataSource {
 public:
  Counted(int64_t size, int64_t classes) {
    size_ = size;
    for (int64_t i = 0; classes > 0 && i < size; ++i) labels_.push_back(i % classes);
  }
  Result<NamedTensors> Batch(std::span<const int64_t> samples) const override {
    return NamedTensors{{"x", Tensor::Int64s(samples)}};
  }
};

TEST(OpenDataSourceTest, RefusesNetworksThatTakeSequences) {
  TensorSpec pieces;
  pieces.name = "pieces";
  pieces.sequence = true;
  pieces.type = "seq(tensor(float))";
  const std::vector<TensorSpec> inputs = {pieces};
  const auto data = OpenDataSource("anything", inputs, {});
  ASSERT_FALSE(data.ok());
  EXPECT_EQ(
      data.status().message(),
      "input 'pieces' is seq(tensor(float)): samples are tensors, and a network that takes sequences or optionals "
      "is run through Python or the C++ API");
}

TEST(SplitTest, PartsAreDisjointEvenAndSeeded) {
  const Counted data(1000, 10);
  const SplitSizes sizes = {300, 100, 200};
  const auto split = SplitSamples(data, sizes, 7), again = SplitSamples(data, sizes, 7),
             other = SplitSamples(data, sizes, 8);
  ASSERT_TRUE(split.ok() && again.ok() && other.ok());
  EXPECT_EQ(split->fit, again->fit);
  EXPECT_NE(split->fit, other->fit);
  EXPECT_EQ(split->fit.size(), 300U);
  EXPECT_EQ(split->confirm.size(), 200U);
  std::set<int64_t> seen;
  for (const auto* part : {&split->fit, &split->choose, &split->confirm}) {
    std::vector<int> by_class(10);
    for (const int64_t sample : *part) {
      EXPECT_TRUE(seen.insert(sample).second);
      ++by_class[static_cast<size_t>(data.labels()[static_cast<size_t>(sample)])];
    }
    EXPECT_EQ(*std::min_element(by_class.begin(), by_class.end()), static_cast<int>(part->size() / 10));
  }
  const auto few = SplitSamples(Counted(3, 0), sizes, 1);
  ASSERT_TRUE(few.ok());
  EXPECT_EQ(few->fit.size() + few->choose.size() + few->confirm.size(), 3U);
  EXPECT_FALSE(few->fit.empty() || few->choose.empty() || few->confirm.empty());
  EXPECT_FALSE(SplitSamples(Counted(2, 0), sizes, 1).ok());
  const auto batches = ReadBatches(Counted(7, 0), AllSamples(Counted(7, 0), 5), 2);
  ASSERT_TRUE(batches.ok());
  EXPECT_EQ(batches->size(), 3U);
  EXPECT_EQ(batches->back().at("x").ToInt64s(), (std::vector<int64_t>{5}));
}

TEST(ChannelValuesTest, ReadsLists) {
  EXPECT_EQ(*ParseChannelValues("--mean", "0.5, 1,-2e1"), (std::vector<float>{0.5F, 1, -20}));
  for (const std::string text : {"", "a", "1,", "1;2", "nan", "inf", "1,,2"}) {
    EXPECT_FALSE(ParseChannelValues("--mean", text).ok()) << text;
  }
}

}  // namespace
}  // namespace tamis
