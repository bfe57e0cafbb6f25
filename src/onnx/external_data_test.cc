#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "src/onnx/test_folder.h"
#include "src/onnx/test_models.h"

namespace tamis {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class ExternalDataTest : public ::testing::Test {
 protected:
  // The small model with its weight `w` (48 bytes) outside.
  static onnx::ModelProto Model(const std::string& location, int64_t offset, int64_t length = -1) {
    onnx::ModelProto model = SmallModel();
    MakeExternal(model.mutable_graph()->mutable_initializer(0), location, offset, length);
    return model;
  }
  std::string ErrorOf(const onnx::ModelProto& model) const { return ImportError(model, folder_.path()); }

  TestFolder folder_;
};

TEST_F(ExternalDataTest, ReadsFromOffset) {
  std::filesystem::create_directory(folder_.path() + "/weights");
  std::vector<float> numbers(4 + 12);
  for (size_t i = 0; i < numbers.size(); ++i) numbers[i] = static_cast<float>(i);
  folder_.Write("weights/w.bin", numbers);
  for (int64_t length : {int64_t{-1}, int64_t{48}}) {
    const Result<Graph> graph = ImportModel(Model("weights/w.bin", 16, length), folder_.path());
    ASSERT_TRUE(graph.ok()) << graph.status().message();
    const Tensor& weight = *graph->value(ValueNamed(*graph, "w")).constant;
    EXPECT_EQ(weight.Span<float>()[0], 4.0f);
    EXPECT_EQ(weight.Span<float>()[11], 15.0f);
  }
}

TEST_F(ExternalDataTest, ResolvesBesideTheModelFile) {
  folder_.Write("w.bin", std::vector<float>(12, 1.0f));
  const std::string path = folder_.path() + "/model.onnx";
  std::ofstream(path, std::ios::binary) << Model("w.bin", 0).SerializeAsString();
  EXPECT_EQ(ImportOnnx(path).status().message(), "ok");
}

TEST_F(ExternalDataTest, NamesMissingFileWithEveryTensor) {
  onnx::ModelProto model = Model("gone.bin", 0);
  MakeExternal(AddFloats(model.mutable_graph(), "w2", {1}, {0}), "gone.bin", 48);
  MakeExternal(AddFloats(model.mutable_graph(), "w3", {1}, {0}), "also_gone.bin", 0);
  EXPECT_THAT(ErrorOf(model), AllOf(HasSubstr("'gone.bin' does not exist"), HasSubstr("needed by 'w', 'w2'"),
                                    HasSubstr("'also_gone.bin' does not exist"), HasSubstr("needed by 'w3'")));
}

TEST_F(ExternalDataTest, RefusesLocationsOutsideTheFolder) {
  const std::string inside = folder_.path() + "/inside";
  std::filesystem::create_directory(inside);
  folder_.Write("secret.bin", std::vector<float>(12, 1.0f));
  std::filesystem::create_symlink("../secret.bin", inside + "/link.bin");
  std::filesystem::create_directory_symlink("..", inside + "/up");
  for (const std::string& location : {std::string("../secret.bin"), folder_.path() + "/secret.bin", std::string(),
                                      std::string("a/../../secret.bin"), std::string("w\0.bin", 6)}) {
    EXPECT_THAT(ImportError(Model(location, 0), inside), HasSubstr("inside the model's folder")) << location;
  }
  EXPECT_THAT(ImportError(Model("link.bin", 0), inside), HasSubstr("symbolic link that leads outside"));
  EXPECT_THAT(ImportError(Model("up/secret.bin", 0), inside), HasSubstr("symbolic link that leads outside"));
  std::filesystem::create_symlink("inside", folder_.path() + "/alias");
  folder_.Write("inside/w.bin", std::vector<float>(12, 1.0f));
  std::filesystem::create_symlink("w.bin", inside + "/fine.bin");
  EXPECT_EQ(ImportError(Model("fine.bin", 0), folder_.path() + "/alias"), "");
}

TEST_F(ExternalDataTest, RefusesSizesThatDoNotFit) {
  folder_.Write("w.bin", std::vector<float>(12, 1.0f));
  EXPECT_THAT(ErrorOf(Model("w.bin", 0, 44)), HasSubstr("'length' is 44, but float32[4, 3] takes 48 bytes"));
  EXPECT_THAT(ErrorOf(Model("w.bin", 4)), HasSubstr("needs 48 bytes at offset 4"));
  EXPECT_THAT(ErrorOf(Model("w.bin", INT64_MAX)), HasSubstr("which has only 48 bytes"));
  EXPECT_THAT(ErrorOf(Model("w.bin", -1)), HasSubstr("'offset' is '-1'"));
  onnx::ModelProto model = Model("w.bin", 0);
  model.mutable_graph()->mutable_initializer(0)->mutable_external_data(1)->set_value("1e3");
  EXPECT_THAT(ErrorOf(model), HasSubstr("'offset' is '1e3'"));
  std::filesystem::create_directory(folder_.path() + "/dir");
  EXPECT_THAT(ErrorOf(Model("dir", 0)), HasSubstr("not a regular file"));
  EXPECT_THAT(ImportError(Model("w.bin", 0), ""), HasSubstr("without a folder"));
}

TEST_F(ExternalDataTest, RefusesOverlappingReadsWithoutBound) {
  folder_.Write("w.bin", std::vector<float>(12, 1.0f));
  onnx::ModelProto model = Model("w.bin", 0);
  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ(ErrorOf(model), "") << i;
    MakeExternal(AddFloats(model.mutable_graph(), "more" + std::to_string(i), {12}, {}), "w.bin", 0);
  }
  EXPECT_THAT(ErrorOf(model), HasSubstr("its tensors overlap"));
}

}  // namespace
}  // namespace tamis
