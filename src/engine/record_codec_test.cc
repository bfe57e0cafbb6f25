// What the codec does with records that no writer made.
#include "src/engine/record_codec.h"

#include <gtest/gtest.h>

namespace tamis {
namespace {

// A provenance whose `count` properties share one value: small in the file, large once it is read.
Status Decode(size_t count, size_t value_bytes, uint64_t metadata_bytes, Provenance* provenance) {
  flatbuffers::FlatBufferBuilder fbb;
  const auto value = fbb.CreateString(std::string(value_bytes, 'v'));
  const auto property = fb::CreateProperty(fbb, fbb.CreateString("key"), value);
  const auto properties = fbb.CreateVector(std::vector<flatbuffers::Offset<fb::Property>>(count, property));
  fb::ModelMetaBuilder meta(fbb);
  meta.add_properties(properties);
  const auto stored_meta = meta.Finish();
  fb::ProvenanceBuilder builder(fbb);
  builder.add_model(stored_meta);
  fbb.Finish(builder.Finish());
  DecodeBudget budget(metadata_bytes);
  return DecodeProvenance(*flatbuffers::GetRoot<fb::Provenance>(fbb.GetBufferPointer()), &budget, provenance);
}

void ExpectRefused(const Status& status, const std::string& part) {
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.kind(), ErrorKind::kUser);
  EXPECT_NE(status.message().find(part), std::string::npos) << status.message();
}

TEST(RecordCodec, ModelMetadataAreBounded) {
  constexpr uint64_t kRoomy = uint64_t{1} << 40;
  Provenance provenance;
  ASSERT_TRUE(Decode(kMaxMetaProperties, 4, kRoomy, &provenance).ok());
  EXPECT_EQ(provenance.model.properties.size(), kMaxMetaProperties);
  EXPECT_EQ(provenance.model.properties.back().second, "vvvv");
  Provenance refused;
  ExpectRefused(Decode(kMaxMetaProperties + 1, 4, kRoomy, &refused), "65537 properties");
  ExpectRefused(Decode(65, 1 << 20, kRoomy, &refused), "at most 65536 and 67108864");
  ExpectRefused(Decode(1000, 1 << 10, 4096, &refused), "unfold to more");
  EXPECT_LT(refused.model.properties.size(), 100u);  // the budget ended it
}

// A table without any field is what a program writes that knows none.
TEST(RecordCodec, AbsentFieldsAreEmpty) {
  flatbuffers::FlatBufferBuilder fbb;
  const auto meta = fb::ModelMetaBuilder(fbb).Finish();
  fb::ProvenanceBuilder builder(fbb);
  builder.add_model(meta);
  fbb.Finish(builder.Finish());
  DecodeBudget budget(fbb.GetSize());
  Provenance provenance;
  ASSERT_TRUE(
      DecodeProvenance(*flatbuffers::GetRoot<fb::Provenance>(fbb.GetBufferPointer()), &budget, &provenance).ok());
  EXPECT_EQ(provenance.model, ModelMeta());
}

}  // namespace
}  // namespace tamis
