#include "src/onnx/tensor_proto.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <random>

namespace tamis {
namespace {

using ::testing::HasSubstr;

onnx::TensorProto Header(int32_t dtype, const Dims& dims) {
  onnx::TensorProto proto;
  proto.set_data_type(dtype);
  for (int64_t dim : dims) proto.add_dims(dim);
  return proto;
}

Result<Tensor> Read(onnx::TensorProto proto) {
  ExternalData external("");
  bool file_error = false;
  return ReadTensor(&proto, &external, &file_error);
}

std::string ErrorOf(onnx::TensorProto proto) {
  const Result<Tensor> tensor = Read(std::move(proto));
  return tensor.ok() ? "" : tensor.status().message();
}

constexpr DType kDTypes[] = {DType::kFloat32, DType::kUInt8,  DType::kInt8,     DType::kUInt16,     DType::kInt16,
                             DType::kInt32,   DType::kInt64,  DType::kBool,     DType::kFloat16,    DType::kFloat64,
                             DType::kUInt32,  DType::kUInt64, DType::kBFloat16, DType::kFloat8E4M3, DType::kFloat8E5M2,
                             DType::kUInt4,   DType::kInt4};

TEST(TensorProto, RawDataOfEveryTypeComesBack) {
  constexpr unsigned kSeed = 17;
  SCOPED_TRACE(fmt::format("seed {}", kSeed));
  std::mt19937 random(kSeed);
  for (DType dtype : kDTypes) {
    for (const Dims& dims : {Dims{}, Dims{0, 3}, Dims{3, 5}}) {
      SCOPED_TRACE(std::string(Name(dtype)) + ToString(dims));
      Tensor tensor(dtype, dims);
      for (size_t i = 0; i < tensor.NumBytes(); ++i) tensor.raw()[i] = static_cast<std::byte>(random());
      if (dtype == DType::kBool) {
        for (uint8_t& value : tensor.Span<uint8_t>()) value &= 1;
      } else if (BitSize(dtype) == 4 && tensor.NumBytes() > 0) {
        tensor.raw()[tensor.NumBytes() - 1] &= std::byte{0x0f};  // an odd count leaves half a byte
      }
      onnx::TensorProto proto;
      WriteTensor("t", tensor, &proto);
      EXPECT_EQ(proto.name(), "t");
      const Result<Tensor> back = Read(proto);
      ASSERT_TRUE(back.ok()) << back.status().message();
      EXPECT_EQ(back->dtype(), dtype);
      EXPECT_EQ(back->dims(), dims);
      EXPECT_EQ(std::memcmp(back->raw(), tensor.raw(), tensor.NumBytes()), 0);
    }
  }
}

TEST(TensorProto, ReadsTypedFields) {
  auto floats = Header(onnx::TensorProto::FLOAT, {2});
  floats.add_float_data(1.5f);
  floats.add_float_data(-2.0f);
  EXPECT_EQ(Read(floats)->Span<float>()[1], -2.0f);

  auto doubles = Header(onnx::TensorProto::DOUBLE, {1});
  doubles.add_double_data(0.1);
  EXPECT_EQ(Read(doubles)->Span<double>()[0], 0.1);

  auto longs = Header(onnx::TensorProto::INT64, {1});
  longs.add_int64_data(-5);
  EXPECT_EQ(Read(longs)->Span<int64_t>()[0], -5);

  auto unsigned_ints = Header(onnx::TensorProto::UINT32, {1});
  unsigned_ints.add_uint64_data(0xffffffffu);
  EXPECT_EQ(Read(unsigned_ints)->Span<uint32_t>()[0], 0xffffffffu);

  auto halves = Header(onnx::TensorProto::FLOAT16, {1});
  halves.add_int32_data(0xbc00);
  EXPECT_EQ(Read(halves)->ToFloat32().Span<float>()[0], -1.0f);

  auto brains = Header(onnx::TensorProto::BFLOAT16, {1});
  brains.add_int32_data(0x4040);
  EXPECT_EQ(Read(brains)->ToFloat32().Span<float>()[0], 3.0f);

  auto bools = Header(onnx::TensorProto::BOOL, {2});
  bools.add_int32_data(7);
  bools.add_int32_data(0);
  EXPECT_EQ(Read(bools)->ToInt64s(), (std::vector<int64_t>{1, 0}));

  auto bytes = Header(onnx::TensorProto::INT8, {1});
  bytes.add_int32_data(-128);
  EXPECT_EQ(Read(bytes)->Span<int8_t>()[0], -128);

  auto nibbles = Header(onnx::TensorProto::INT4, {3});  // 1, -2 | 3: two elements an entry
  nibbles.add_int32_data(0xe1);
  nibbles.add_int32_data(0xf3);
  const Result<Tensor> packed = Read(nibbles);
  ASSERT_TRUE(packed.ok()) << packed.status().message();
  EXPECT_EQ(packed->Data<uint8_t>()[0], 0xe1);
  EXPECT_EQ(packed->Data<uint8_t>()[1], 0x03);
}

TEST(TensorProto, RefusesWhatDoesNotFit) {
  auto proto = Header(onnx::TensorProto::FLOAT, {3});
  proto.add_float_data(1);
  EXPECT_THAT(ErrorOf(proto), HasSubstr("float32[3] needs 3 values, the file has 1"));
  proto.set_raw_data("12345");
  EXPECT_THAT(ErrorOf(proto), HasSubstr("needs 12 bytes, the file has 5"));
  auto byte = Header(onnx::TensorProto::UINT8, {1});
  byte.add_int32_data(256);
  EXPECT_THAT(ErrorOf(byte), HasSubstr("value 256 does not fit uint8"));
  EXPECT_THAT(ErrorOf(Header(onnx::TensorProto::FLOAT, {-1})), HasSubstr("negative dimension -1"));
  EXPECT_THAT(ErrorOf(Header(onnx::TensorProto::FLOAT, {int64_t{1} << 45, 4})), HasSubstr("2^46"));
  EXPECT_THAT(ErrorOf(Header(onnx::TensorProto::FLOAT, Dims(65, 1))), HasSubstr("has 65 dimensions"));
  EXPECT_THAT(ErrorOf(Header(onnx::TensorProto::COMPLEX64, {1})), HasSubstr("COMPLEX64 is not supported"));
  EXPECT_THAT(ErrorOf(Header(onnx::TensorProto::FLOAT8E4M3FNUZ, {1})), HasSubstr("float8_e4m3fnuz[1] needs 1 values"));
  EXPECT_THAT(ErrorOf(Header(1000, {1})), HasSubstr("number 1000"));
  EXPECT_THAT(ErrorOf(Header(-1, {1})), HasSubstr("number -1"));
  EXPECT_THAT(ErrorOf(Header(onnx::TensorProto::STRING, {1})), HasSubstr("string[1] needs 1 values"));
  auto segment = Header(onnx::TensorProto::FLOAT, {1});
  segment.mutable_segment()->set_begin(0);
  EXPECT_THAT(ErrorOf(segment), HasSubstr("segments"));
}

onnx::SparseTensorProto Sparse(const Dims& dims, const std::vector<float>& values, const std::vector<int64_t>& indices,
                               bool coordinates) {
  onnx::SparseTensorProto proto;
  for (int64_t dim : dims) proto.add_dims(dim);
  const auto stored = static_cast<int64_t>(values.size());
  *proto.mutable_values() = Header(onnx::TensorProto::FLOAT, {stored});
  proto.mutable_values()->mutable_float_data()->Add(values.begin(), values.end());
  *proto.mutable_indices() =
      Header(onnx::TensorProto::INT64, coordinates ? Dims{stored, int64_t(dims.size())} : Dims{stored});
  proto.mutable_indices()->mutable_int64_data()->Add(indices.begin(), indices.end());
  return proto;
}

Result<Tensor> ReadSparse(onnx::SparseTensorProto proto) {
  ExternalData external("");
  bool file_error = false;
  return ReadSparseTensor(&proto, &external, &file_error);
}

TEST(TensorProto, ExpandsSparseTensors) {
  for (bool coordinates : {false, true}) {
    const auto indices = coordinates ? std::vector<int64_t>{0, 1, 1, 2} : std::vector<int64_t>{1, 5};
    const Result<Tensor> dense = ReadSparse(Sparse({2, 3}, {7, 8}, indices, coordinates));
    ASSERT_TRUE(dense.ok()) << dense.status().message();
    EXPECT_THAT(dense->Span<float>(), ::testing::ElementsAre(0, 7, 0, 0, 0, 8));
  }
}

TEST(TensorProto, RefusesBadSparseTensors) {
  const auto error = [](onnx::SparseTensorProto proto) {
    const Result<Tensor> tensor = ReadSparse(std::move(proto));
    return tensor.ok() ? "" : tensor.status().message();
  };
  EXPECT_THAT(error(Sparse({2, 3}, {7}, {6}, false)), HasSubstr("outside shape [2, 3]"));
  EXPECT_THAT(error(Sparse({2, 3}, {7}, {-1}, false)), HasSubstr("outside shape"));
  EXPECT_THAT(error(Sparse({2, 3}, {7}, {0, 3}, true)), HasSubstr("outside shape"));
  EXPECT_THAT(error(Sparse({0, 3}, {7}, {0}, false)), HasSubstr("outside shape"));
  EXPECT_THAT(error(Sparse({2, 3}, {7, 8}, {0}, false)), HasSubstr("needs 2 values"));
  EXPECT_THAT(error(Sparse({1 << 20, 1 << 20}, {7}, {0}, false)), HasSubstr("not expanded"));
}

}  // namespace
}  // namespace tamis
