#include "src/onnx/detach.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>

#include "src/base/hash.h"
#include "src/onnx/test_models.h"

namespace tamis {
namespace {

// An initializer [count] of numbers, as raw_data.
void AddNumbers(onnx::GraphProto* graph, const std::string& name, int64_t count) {
  onnx::TensorProto* tensor = graph->add_initializer();
  tensor->set_name(name);
  tensor->set_data_type(onnx::TensorProto::FLOAT);
  tensor->add_dims(count);
  std::vector<float> numbers(static_cast<size_t>(count));
  for (size_t i = 0; i < numbers.size(); ++i) numbers[i] = static_cast<float>(i) - 7;
  tensor->set_raw_data(numbers.data(), numbers.size() * sizeof(float));
}

// Initializers of few and many elements around each other, one in typed fields, and a node that reads a long constant.
onnx::ModelProto MixedModel() {
  onnx::ModelProto model = SmallModel();
  AddNumbers(model.mutable_graph(), "short", 3);
  AddNumbers(model.mutable_graph(), "long", 300000);
  onnx::TensorProto* typed = model.mutable_graph()->add_initializer();
  typed->set_name("typed");
  typed->set_data_type(onnx::TensorProto::FLOAT);
  typed->add_dims(1000);
  for (int i = 0; i < 1000; ++i) typed->add_float_data(static_cast<float>(i));
  AddNumbers(model.mutable_graph(), "longer", 400000);
  return model;
}

std::optional<DetachedModel> Detach(const std::string& bytes) {
  MemorySource source(bytes);
  return DetachElements(source);
}

TEST(DetachElements, WhatIsLeftAndWhatWasTakenAreTheModel) {
  const onnx::ModelProto model = MixedModel();
  const std::string bytes = model.SerializeAsString();
  std::optional<DetachedModel> detached = Detach(bytes);
  ASSERT_TRUE(detached);
  EXPECT_EQ(detached->hash, Hash64(bytes));
  EXPECT_LT(detached->skeleton.size(), 6000u);
  onnx::ModelProto rebuilt;
  ASSERT_TRUE(rebuilt.ParseFromString(detached->skeleton));
  ASSERT_EQ(detached->elements.size(), static_cast<size_t>(model.graph().initializer_size()));
  size_t taken = 0;
  for (size_t i = 0; i < detached->elements.size(); ++i) {
    const Tensor& elements = detached->elements[i];
    if (!elements.Defined()) continue;
    ++taken;
    EXPECT_EQ(reinterpret_cast<uintptr_t>(elements.raw()) % 64, 0u);
    rebuilt.mutable_graph()
        ->mutable_initializer(static_cast<int>(i))
        ->set_raw_data(elements.raw(), elements.NumBytes());
  }
  EXPECT_EQ(taken, 2u);
  EXPECT_EQ(rebuilt.SerializeAsString(), bytes);
}

TEST(DetachElements, AFileGivesWhatMemoryGives) {
  const std::string bytes = MixedModel().SerializeAsString();
  std::FILE* file = std::tmpfile();
  ASSERT_NE(file, nullptr);
  ASSERT_EQ(std::fwrite(bytes.data(), 1, bytes.size(), file), bytes.size());
  ASSERT_EQ(std::fflush(file), 0);
  ASSERT_EQ(::lseek(::fileno(file), 0, SEEK_SET), 0);
  FileSource source(::fileno(file), bytes.size());
  const std::optional<DetachedModel> from_file = DetachElements(source);
  const std::optional<DetachedModel> from_memory = Detach(bytes);
  std::fclose(file);
  ASSERT_TRUE(from_file && from_memory);
  EXPECT_EQ(from_file->skeleton, from_memory->skeleton);
  EXPECT_EQ(from_file->hash, from_memory->hash);
  ASSERT_EQ(from_file->elements.size(), from_memory->elements.size());
  for (size_t i = 0; i < from_file->elements.size(); ++i) {
    const Tensor &a = from_file->elements[i], &b = from_memory->elements[i];
    ASSERT_EQ(a.NumBytes(), b.NumBytes());
    EXPECT_TRUE(!a.Defined() || std::memcmp(a.raw(), b.raw(), a.NumBytes()) == 0) << i;
  }
}

TEST(DetachElements, AFileThatIsShorterThanItSaidIsNotTaken) {
  std::FILE* file = std::tmpfile();
  ASSERT_NE(file, nullptr);
  const std::string bytes = MixedModel().SerializeAsString();
  ASSERT_EQ(std::fwrite(bytes.data(), 1, bytes.size() - 100, file), bytes.size() - 100);
  ASSERT_EQ(std::fflush(file), 0);
  ASSERT_EQ(::lseek(::fileno(file), 0, SEEK_SET), 0);
  FileSource source(::fileno(file), bytes.size());
  EXPECT_FALSE(DetachElements(source));
  std::fclose(file);
}

TEST(DetachElements, EveryTruncationIsNotTakenOrAModel) {
  onnx::ModelProto model = SmallModel();
  AddNumbers(model.mutable_graph(), "long", 300);
  const std::string bytes = model.SerializeAsString();
  for (size_t length = 0; length < bytes.size(); ++length) {
    const auto detached = Detach(bytes.substr(0, length));
    if (!detached) continue;
    onnx::ModelProto rebuilt;
    EXPECT_TRUE(rebuilt.ParseFromString(detached->skeleton)) << length;
  }
}

TEST(DetachElements, UnusualLayoutsAreLeftToTheParser) {
  onnx::GraphProto part;
  AddNumbers(&part, "w", 300);
  onnx::ModelProto model;
  *model.mutable_graph() = part;
  const std::string bytes = model.SerializeAsString();
  EXPECT_TRUE(Detach(bytes));
  EXPECT_FALSE(Detach(bytes + bytes)) << "two graphs, which protobuf joins";
  const std::string tensor = part.initializer(0).SerializeAsString();
  onnx::TensorProto twice;  // protobuf takes the last of two raw_data
  ASSERT_TRUE(twice.ParseFromString(tensor + tensor));
  std::string graph_twice = "\x2a";
  for (size_t length = 2 * tensor.size(); length > 0; length >>= 7) {
    graph_twice += static_cast<char>((length & 0x7f) | (length >= 0x80 ? 0x80 : 0));
  }
  graph_twice += tensor + tensor;
  std::string model_twice = "\x3a";
  for (size_t length = graph_twice.size(); length > 0; length >>= 7) {
    model_twice += static_cast<char>((length & 0x7f) | (length >= 0x80 ? 0x80 : 0));
  }
  model_twice += graph_twice;
  ASSERT_TRUE(model.ParseFromString(model_twice));
  EXPECT_FALSE(Detach(model_twice));
  EXPECT_FALSE(Detach(std::string("\x0b", 1))) << "a group";
}

TEST(DetachElements, TheImporterReadsDetachedWeights) {
  const std::string bytes = MixedModel().SerializeAsString();
  OnnxInfo info;
  const Result<Graph> graph = ImportOnnxBytes(bytes.data(), bytes.size(), "", &info);
  ASSERT_TRUE(graph.ok()) << graph.status().message();
  EXPECT_EQ(info.hash, HexString(Hash64(bytes)));
  const Tensor& weight = *graph->value(ValueNamed(*graph, "long")).constant;
  EXPECT_EQ(weight.dims(), Dims{300000});
  EXPECT_EQ(weight.Span<float>()[299999], 299992.0f);
}

TEST(DetachElements, DetachedWeightsOfTheWrongSizeAreNamed) {
  onnx::ModelProto model = MixedModel();
  for (auto& initializer : *model.mutable_graph()->mutable_initializer()) {
    if (initializer.name() == "long") initializer.set_dims(0, 299999);
  }
  const std::string bytes = model.SerializeAsString();
  const Result<Graph> graph = ImportOnnxBytes(bytes.data(), bytes.size(), "");
  ASSERT_FALSE(graph.ok());
  EXPECT_NE(
      graph.status().message().find("initializer 'long': float32[299999] needs 1199996 bytes, the file has 1200000"),
      std::string::npos)
      << graph.status().message();
}

}  // namespace
}  // namespace tamis
