#include "src/base/file_bytes.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <vector>

namespace tamis {
namespace {

TEST(FileBytes, ForgottenPagesAreThereAgain) {
  const std::string path = ::testing::TempDir() + "file_bytes_" + std::to_string(getpid());
  std::vector<char> content(5 * static_cast<size_t>(sysconf(_SC_PAGESIZE)) + 17);
  for (size_t i = 0; i < content.size(); ++i) content[i] = static_cast<char>(i % 251);
  std::ofstream(path, std::ios::binary).write(content.data(), static_cast<std::streamsize>(content.size()));
  for (const bool map : {true, false}) {
    const auto file = OpenFile(path, map);
    ASSERT_TRUE(file.ok()) << file.status().message();
    EXPECT_EQ(file->mapped, map);
    const auto same = [&] {
      return std::equal(content.begin(), content.end(), file->data.get(),
                        [](char a, uint8_t b) { return static_cast<uint8_t>(a) == b; });
    };
    ASSERT_TRUE(same());
    for (const uint64_t offset : {uint64_t{0}, uint64_t{100}, file->size - 3}) {
      ForgetPages(*file, offset, file->size - offset);
      ForgetPages(*file, offset, 1);
      EXPECT_TRUE(same()) << map << " " << offset;
    }
  }
  std::filesystem::remove(path);
}

}  // namespace
}  // namespace tamis
