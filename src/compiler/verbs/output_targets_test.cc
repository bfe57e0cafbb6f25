#include "src/compiler/verbs/output_targets.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace tamis {
namespace {

class OutputTargets : public testing::Test {
 protected:
  OutputTargets() : folder_(std::filesystem::temp_directory_path() / ("targets" + std::to_string(getpid()))) {
    std::filesystem::create_directories(folder_);
  }
  ~OutputTargets() override { std::filesystem::remove_all(folder_); }

  std::string Path(const std::string& name) const { return (folder_ / name).string(); }
  std::string Make(const std::string& name, const std::string& text) const {
    std::ofstream(Path(name)) << text;
    return Path(name);
  }
  static Status Check(const std::vector<std::string>& targets, const std::vector<std::string>& models) {
    return CheckTargets(targets, models);
  }

  std::filesystem::path folder_;
};

TEST_F(OutputTargets, KeepTheModel) {
  const std::string model = Make("m.onnx", "a model");
  EXPECT_TRUE(Check({Path("new"), ""}, {model, ""}).ok());
  std::filesystem::create_symlink(model, Path("link"));
  std::filesystem::create_hard_link(model, Path("hard"));
  for (const std::string& name : {model, Path("link"), Path("hard"), Path("./m.onnx")}) {
    const Status status = Check({Path("new"), name}, {model});
    EXPECT_EQ(status.kind(), ErrorKind::kUser) << name;
    EXPECT_NE(status.message().find("is the model that is read"), std::string::npos) << status.message();
  }
  EXPECT_EQ(std::filesystem::file_size(model), 7U);
}

TEST_F(OutputTargets, KeepFilesOfWeights) {
  const std::string weights = Make("m.onnx.data", "weights");
  EXPECT_TRUE(CheckWeightsStay({Path("new"), ""}, {weights}).ok());
  std::filesystem::create_symlink(weights, Path("link"));
  for (const std::string& name : {weights, Path("link"), Path("./m.onnx.data")}) {
    const Status status = CheckWeightsStay({Path("new"), name}, {weights});
    EXPECT_EQ(status.kind(), ErrorKind::kUser) << name;
    EXPECT_NE(status.message().find("holds weights of the model"), std::string::npos) << status.message();
  }
}

TEST_F(OutputTargets, MayReplaceAnEngine) {
  const std::string engine = Make("e.tamis", "TAMIS and more");
  EXPECT_TRUE(Check({engine}, {engine}).ok());
}

TEST_F(OutputTargets, AreSeveralFiles) {
  const Status status = Check({Path("a"), Path("b"), Path("./a")}, {});
  EXPECT_EQ(status.kind(), ErrorKind::kUser);
  EXPECT_NE(status.message().find("written twice"), std::string::npos) << status.message();
}

TEST_F(OutputTargets, CanBeWritten) {
  EXPECT_FALSE(Check({Path("missing/file")}, {}).ok());
  EXPECT_TRUE(std::filesystem::is_empty(folder_));
}

}  // namespace
}  // namespace tamis
