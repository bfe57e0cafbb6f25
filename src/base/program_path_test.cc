#include "src/base/program_path.h"

#include <gtest/gtest.h>

#include <filesystem>

namespace tamis {
namespace {

TEST(ProgramPath, FindsWhatLiesBesideTheExecutable) {
  const auto self = std::filesystem::read_symlink("/proc/self/exe");
  EXPECT_EQ(ProgramPath(self.filename().string()), self.string());
}

TEST(ProgramPath, NamesThePlaceWhereAMissingProgramWouldBe) {
  const auto self = std::filesystem::read_symlink("/proc/self/exe");
  EXPECT_EQ(ProgramPath("no-such-program"), (self.parent_path() / "no-such-program").string());
}

}  // namespace
}  // namespace tamis
