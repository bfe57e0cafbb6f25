// What the reader does with files that are not what WriteEngine wrote.
#include <gtest/gtest.h>

#include <cstring>
#include <random>

#include "src/base/hash.h"
#include "src/engine/engine_generated.h"
#include "src/engine/engine_test_graphs.h"
#include "src/engine/format.h"

namespace tamis {
namespace {

using testing::ReadBytes;
using testing::TemporaryFolder;
using testing::WriteBytes;

class ReaderTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(WriteEngine(testing::EverythingEngine(), path_).ok());
    good_ = ReadBytes(path_);
    auto file = ReadEngine(path_, ReadMode::kRead);
    ASSERT_TRUE(file.ok());
    text_ = file->engine->fused.ToString();
  }
  // Opens, verifies and loads all of `bytes`; the first error.
  Status Load(const std::string& bytes, ReadMode mode = ReadMode::kRead) {
    WriteBytes(path_, bytes);
    auto file = ReadEngine(path_, mode);
    if (!file.ok()) return file.status();
    TAMIS_RETURN_IF_ERROR(file->weights->Verify());
    auto source = file->LoadSource();
    if (!source.ok()) return source.status();
    EXPECT_EQ(file->engine->fused.ToString(), text_);
    return {};
  }
  FileHeader Header() const {
    FileHeader header;
    std::memcpy(&header, good_.data(), sizeof(header));
    return header;
  }
  // `bytes` with every checksum made to match again, as an attacker would.
  static void Reseal(std::string* bytes) {
    FileHeader header;
    std::memcpy(&header, bytes->data(), sizeof(header));
    header.metadata_checksum = Hash64(bytes->data() + header.metadata_offset, header.metadata_bytes);
    header.header_checksum = Hash64(&header, offsetof(FileHeader, header_checksum));
    std::memcpy(bytes->data(), &header, sizeof(header));
  }
  void ExpectMessage(const std::string& bytes, const std::string& part) {
    const Status status = Load(bytes);
    ASSERT_FALSE(status.ok());
    EXPECT_EQ(status.kind(), ErrorKind::kUser) << status.message();
    EXPECT_NE(status.message().find(part), std::string::npos) << status.message();
    EXPECT_NE(status.message().find("a.tamis"), std::string::npos) << status.message();
  }

  TemporaryFolder folder_;
  std::string path_ = folder_ / "a.tamis";
  std::string good_;
  std::string text_;
};

TEST_F(ReaderTest, SaysWhatAnotherFileIs) {
  ExpectMessage("hello, this is some text\n", "text file");
  ExpectMessage(std::string("\x08\x08\x12\x07pytorch\0\0", 13), "tamis build");
  ExpectMessage(std::string("\x7f"
                            "ELF\0\0",
                            6),
                "not a Tamis engine");
  ExpectMessage("", "is empty");
  auto folder = ReadEngine(folder_ / ".", ReadMode::kMap);
  ASSERT_FALSE(folder.ok());
  EXPECT_NE(folder.status().message().find("is a folder"), std::string::npos) << folder.status().message();
  auto missing = ReadEngine(folder_ / "missing", ReadMode::kMap);
  ASSERT_FALSE(missing.ok());
  EXPECT_EQ(missing.status().kind(), ErrorKind::kUser);
  EXPECT_NE(missing.status().message().find("does not exist"), std::string::npos);
}

TEST_F(ReaderTest, NamesBothVersions) {
  std::string other = good_;
  const uint32_t version = kFormatVersion + 6;
  std::memcpy(other.data() + offsetof(FileHeader, format_version), &version, sizeof(version));
  ExpectMessage(other, "format version 7, this program reads version 1");
}

TEST_F(ReaderTest, RefusesEveryTruncation) {
  for (size_t length = 0; length < good_.size(); length += length < 4096 ? 1 : 97) {
    ASSERT_FALSE(Load(good_.substr(0, length)).ok()) << length;
  }
  ExpectMessage(good_.substr(0, good_.size() - 1), "truncated");
  ASSERT_FALSE(Load(good_ + "x").ok());
}

TEST_F(ReaderTest, FindsEveryFlippedByte) {
  const FileHeader header = Header();
  std::vector<bool> covered(good_.size(), false);  // the padding means nothing
  const auto cover = [&](uint64_t begin, uint64_t bytes) {
    for (uint64_t i = begin; i < begin + bytes; ++i) covered[i] = true;
  };
  cover(0, sizeof(FileHeader));
  cover(header.metadata_offset, header.metadata_bytes);
  const fb::Engine* root = fb::GetEngine(good_.data() + header.metadata_offset);
  for (const fb::Weight* weight : *root->weights()) cover(header.weights_offset + weight->offset(), weight->bytes());
  for (size_t i = 0; i < good_.size(); i += i < sizeof(FileHeader) ? 1 : 13) {
    std::string flipped = good_;
    flipped[i] = static_cast<char>(flipped[i] ^ (1 << (i % 8)));
    ASSERT_EQ(Load(flipped).ok(), !covered[i]) << "byte " << i;
  }
}

TEST_F(ReaderTest, NamesTheDamagedWeight) {
  const FileHeader header = Header();
  const fb::Engine* root = fb::GetEngine(good_.data() + header.metadata_offset);
  std::string flipped = good_;
  for (const fb::Weight* weight : *root->weights()) {
    if (weight->name()->str() == "dense") flipped[header.weights_offset + weight->offset() + 100] ^= 1;
  }
  WriteBytes(path_, flipped);
  auto file = ReadEngine(path_, ReadMode::kMap);
  ASSERT_TRUE(file.ok()) << "weights are checked before the first request, not at open";
  for (int call = 0; call < 2; ++call) {
    const Status status = file->weights->Verify();
    ASSERT_FALSE(status.ok());
    EXPECT_NE(status.message().find("1 of 5 weights: 'dense'"), std::string::npos) << status.message();
  }
}

// Damage that the checksums do not show: nothing may crash, whatever the metadata say.
TEST_F(ReaderTest, SurvivesResealedDamage) {
  const FileHeader header = Header();
  constexpr uint32_t kSeed = 20240;
  SCOPED_TRACE(::testing::Message() << "seed " << kSeed);
  std::mt19937 random(kSeed);
  int refused = 0;
  for (int round = 0; round < 3000; ++round) {
    std::string damaged = good_;
    for (unsigned flips = 1 + random() % 3; flips > 0; --flips) {
      char& byte = damaged[header.metadata_offset + random() % header.metadata_bytes];
      byte = static_cast<char>(random() % 2 ? random() : byte + (random() % 2 ? 1 : -1));
    }
    Reseal(&damaged);
    WriteBytes(path_, damaged);
    auto file = ReadEngine(path_, ReadMode::kMap);
    if (!file.ok()) {
      ++refused;
      continue;
    }
    EXPECT_TRUE(file->engine->fused.Verify().ok());
    (void)file->weights->Verify().ok();
    (void)file->LoadSource().ok();
  }
  EXPECT_GT(refused, 100);
}

TEST_F(ReaderTest, SurvivesAResealedHeader) {
  for (size_t field = offsetof(FileHeader, header_bytes); field < offsetof(FileHeader, header_checksum); field += 4) {
    for (const uint32_t value : {0u, 1u, 64u, 0x7fffffffu, 0xffffffffu}) {
      std::string damaged = good_;
      std::memcpy(damaged.data() + field, &value, sizeof(value));
      FileHeader header;
      std::memcpy(&header, damaged.data(), sizeof(header));
      header.header_checksum = Hash64(&header, offsetof(FileHeader, header_checksum));
      std::memcpy(damaged.data(), &header, sizeof(header));
      const Status status = Load(damaged);  // some values are the right ones
      EXPECT_TRUE(status.ok() || status.kind() == ErrorKind::kUser) << status.message();
    }
  }
}

// Found by the fuzz target: FlatBuffers' verifier does not look at where a list's elements lie.
TEST(ReaderFindings, AMisalignedListIsRefused) {
  const auto file = ReadEngine("src/engine/testdata/misaligned_list.tamis", ReadMode::kRead);
  ASSERT_FALSE(file.ok());
  EXPECT_EQ(file.status().kind(), ErrorKind::kUser);
  EXPECT_NE(file.status().message().find("misaligned"), std::string::npos) << file.status().message();
}

}  // namespace
}  // namespace tamis
