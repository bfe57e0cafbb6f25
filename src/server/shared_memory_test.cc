#include "src/server/shared_memory.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstring>
#include <limits>

#include "src/server/shared_object.h"

namespace tamis {
namespace {

using testing::SharedObject;

constexpr size_t kMaxBytes = 1 << 16;
constexpr uint64_t kHuge = std::numeric_limits<uint64_t>::max();

void ExpectUserError(const Status& status, const std::string& part) {
  ASSERT_FALSE(status.ok()) << "expected: " << part;
  EXPECT_EQ(status.kind(), ErrorKind::kUser);
  EXPECT_NE(status.message().find(part), std::string::npos) << status.message();
}

template <class T>
std::string Bytes(std::initializer_list<T> values) {
  return {reinterpret_cast<const char*>(std::data(values)), values.size() * sizeof(T)};
}

class SharedMemoryTest : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(object_.valid()) << "no shared memory on this machine?"; }

  SharedObject object_{"a", 4096};
  SharedMemory memory_{"/tamis_test_", kMaxBytes};
};

TEST_F(SharedMemoryTest, TensorsAreReadFromAndWrittenToTheirPlaces) {
  ASSERT_TRUE(memory_.Register({"r", object_.key(), 64, 1024}).ok());
  object_.Put(Bytes<float>({1, 2.5f, -3}), 64 + 8);
  const auto place = memory_.InputPlace("r", 8, 12);
  ASSERT_TRUE(place.ok()) << place.status().message();
  const auto read = place->Read(DType::kFloat32, {3});
  ASSERT_TRUE(read.ok()) << read.status().message();
  EXPECT_EQ(read->Span<float>()[1], 2.5f);
  object_.Put(Bytes<float>({9, 9, 9}), 64 + 8);
  EXPECT_EQ(read->Span<float>()[1], 2.5f) << "a client changed what a kernel may already have checked";

  const auto out = memory_.OutputPlace("r", 100, 24);
  ASSERT_TRUE(out.ok());
  ASSERT_TRUE(out->Write(*read).ok());
  EXPECT_EQ(object_.Get(12, 64 + 100), Bytes<float>({1, 2.5f, -3}));
  ExpectUserError(out->Write(Tensor(DType::kFloat64, {4})), "it takes 32 bytes, but its place");
}

TEST_F(SharedMemoryTest, StringsAndBoolsAreWhatTheirBytesSay) {
  ASSERT_TRUE(memory_.Register({"r", object_.key(), 0, 4096}).ok());
  object_.Put(std::string("\2\0\0\0hi\0\0\0\0", 10), 0);
  const auto strings = memory_.InputPlace("r", 0, 10)->Read(DType::kString, {2});
  ASSERT_TRUE(strings.ok()) << strings.status().message();
  EXPECT_EQ(strings->Span<std::string>()[0], "hi");
  ASSERT_TRUE(memory_.OutputPlace("r", 500, 10)->Write(*strings).ok());
  EXPECT_EQ(object_.Get(10, 500), object_.Get(10, 0));
  ExpectUserError(memory_.InputPlace("r", 0, 9)->Read(DType::kString, {2}).status(), "bytes end before element 1");
  object_.Put(std::string("\0\7", 2), 600);
  const auto bools = memory_.InputPlace("r", 601, 1)->Read(DType::kBool, {1});
  ASSERT_TRUE(bools.ok());
  EXPECT_EQ(bools->Span<uint8_t>()[0], 1) << "any other bit pattern is not a bool";
}

TEST_F(SharedMemoryTest, NothingOutsideIsReached) {
  ExpectUserError(memory_.Register({"r", object_.key(), 1, 4096}), "has 4096 bytes, not 4096 from byte 1 on");
  ExpectUserError(memory_.Register({"r", object_.key(), kHuge, 2}), "has 4096 bytes");
  ExpectUserError(memory_.Register({"r", object_.key(), 2, kHuge}), "has 4096 bytes");
  ASSERT_TRUE(memory_.Register({"r", object_.key(), 0, 100}).ok());
  ExpectUserError(memory_.OutputPlace("r", 97, 4).status(), "has 100 bytes, not 4 from byte 97 on");
  ExpectUserError(memory_.OutputPlace("r", kHuge - 1, 4).status(), "has 100 bytes");
  ExpectUserError(memory_.OutputPlace("r", 4, kHuge - 1).status(), "has 100 bytes");
  ExpectUserError(memory_.InputPlace("r", 0, kMaxBytes + 1).status(), "takes tensors of 65536 at most");
  ExpectUserError(memory_.InputPlace("r", 0, 8)->Read(DType::kFloat32, {int64_t{1} << 40}).status(), "its bytes are 8");
  ExpectUserError(memory_.InputPlace("nobody", 0, 8).status(), "no shared memory region 'nobody'");
}

// With a mapping, touching what is gone would end the process.
TEST_F(SharedMemoryTest, AnObjectThatWasTruncatedIsAnError) {
  ASSERT_TRUE(memory_.Register({"r", object_.key(), 0, 4096}).ok());
  const auto place = memory_.InputPlace("r", 0, 4096);
  object_.Resize(4);
  ExpectUserError(place->Read(DType::kInt8, {4096}).status(), "was made smaller");
}

TEST_F(SharedMemoryTest, APlaceOutlivesItsRegion) {
  ASSERT_TRUE(memory_.Register({"r", object_.key(), 0, 4096}).ok());
  object_.Put("x", 0);
  const auto place = memory_.InputPlace("r", 0, 1);
  memory_.Unregister("r");
  EXPECT_TRUE(memory_.Regions("").empty());
  const auto read = place->Read(DType::kInt8, {1});
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(read->Span<int8_t>()[0], 'x');
}

TEST_F(SharedMemoryTest, RegionsAreListedAndNamedOnce) {
  ASSERT_TRUE(memory_.Register({"b", object_.key(), 0, 8}).ok());
  ASSERT_TRUE(memory_.Register({"a", object_.key().substr(1), 8, 8}).ok()) << "the slash may be left out";
  ExpectUserError(memory_.Register({"a", object_.key(), 0, 8}), "registered already");
  ASSERT_EQ(memory_.Regions("").size(), 2u);
  EXPECT_EQ(memory_.Regions("b")[0].key, object_.key());
  memory_.Unregister("nobody");
  memory_.UnregisterAll();
  EXPECT_TRUE(memory_.Regions("").empty());
}

TEST_F(SharedMemoryTest, OnlyWhatIsAllowedCanBeRegistered) {
  SharedMemory others("sensors_", kMaxBytes);
  ExpectUserError(others.Register({"r", object_.key(), 0, 8}), "does not begin with 'sensors_'");
  EXPECT_TRUE(SharedMemory("/", kMaxBytes).Register({"r", object_.key(), 0, 8}).ok());
  for (const std::string key : {"/tamis_test_/../../etc/passwd", "/..", "", "/", "//tamis_test_x"}) {
    ExpectUserError(memory_.Register({"r", key, 0, 8}), "is not the key of shared memory");
  }
  ExpectUserError(memory_.Register({"r", std::string("/tamis_test_\0x", 14), 0, 8}), "is not the key");
  ExpectUserError(memory_.Register({"", "/tamis_test_absent", 0, 0}),
                  "name has 1 to 255 bytes; the region's byte_size");
  ExpectUserError(memory_.Register({"r", "/tamis_test_absent", 0, 8}), "can't be opened: No such file");
}

// What only looks like shared memory from its folder: a link out of it, and a pipe, which could hang whoever opens it.
TEST_F(SharedMemoryTest, LinksAndPipesAreRefused) {
  const std::string link = object_.key() + "_link", pipe = object_.key() + "_pipe";
  ASSERT_EQ(symlink("/etc/passwd", ("/dev/shm" + link).c_str()), 0);
  ASSERT_EQ(mkfifo(("/dev/shm" + pipe).c_str(), 0600), 0);
  ExpectUserError(memory_.Register({"r", link, 0, 8}), "can't be opened");
  ExpectUserError(memory_.Register({"r", pipe, 0, 8}), "is not shared memory");
  shm_unlink(link.c_str());
  shm_unlink(pipe.c_str());
}

}  // namespace
}  // namespace tamis
