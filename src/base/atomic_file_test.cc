#include "src/base/atomic_file.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>

namespace tamis {
namespace {

namespace fs = std::filesystem;

class AtomicFileTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = ::testing::TempDir() + "atomic_XXXXXX";
    ASSERT_NE(mkdtemp(folder_.data()), nullptr);
  }
  void TearDown() override { fs::remove_all(folder_); }
  std::string Path() const { return folder_ + "/target"; }
  std::string Content() const {
    std::ifstream in(Path());
    return {std::istreambuf_iterator<char>(in), {}};
  }
  size_t Files() const {
    return static_cast<size_t>(std::distance(fs::directory_iterator(folder_), fs::directory_iterator()));
  }
  std::string folder_;
};

TEST_F(AtomicFileTest, AppearsAtCommitOnly) {
  auto file = AtomicFile::Create(Path());
  ASSERT_TRUE(file.ok()) << file.status().message();
  ASSERT_TRUE(file->Write("new").ok());
  EXPECT_FALSE(fs::exists(Path()));
  EXPECT_NE(file->temporary_path().find("/.target.tmp-" + std::to_string(getpid())), std::string::npos);
  ASSERT_TRUE(file->Commit().ok());
  EXPECT_EQ(Content(), "new");
  EXPECT_EQ(Files(), 1u);
  EXPECT_FALSE(file->Write("more").ok());
}

TEST_F(AtomicFileTest, LeavesTheOldFileWithoutCommit) {
  std::ofstream(Path()) << "old";
  ASSERT_EQ(chmod(Path().c_str(), 0640), 0);
  {
    auto file = AtomicFile::Create(Path());
    ASSERT_TRUE(file.ok());
    ASSERT_TRUE(file->Write("new").ok());
  }
  EXPECT_EQ(Content(), "old");
  EXPECT_EQ(Files(), 1u);
  auto file = AtomicFile::Create(Path());
  ASSERT_TRUE(file.ok() && file->Write("new").ok() && file->Commit().ok());
  EXPECT_EQ(Content(), "new");
  EXPECT_EQ(fs::status(Path()).permissions(), static_cast<fs::perms>(0640));
}

TEST_F(AtomicFileTest, TwoWritersOfOneTarget) {
  auto first = AtomicFile::Create(Path());
  auto second = AtomicFile::Create(Path());
  ASSERT_TRUE(first.ok() && second.ok());
  EXPECT_NE(first->temporary_path(), second->temporary_path());
  ASSERT_TRUE(second->Write("second").ok() && second->Commit().ok());
  ASSERT_TRUE(first->Write("first").ok() && first->Commit().ok());
  EXPECT_EQ(Content(), "first");
  EXPECT_EQ(Files(), 1u);
}

TEST_F(AtomicFileTest, WritesThroughALink) {
  std::ofstream(folder_ + "/real") << "old";
  fs::create_symlink("real", Path());
  auto file = AtomicFile::Create(Path());
  ASSERT_TRUE(file.ok() && file->Write("new").ok() && file->Commit().ok());
  EXPECT_TRUE(fs::is_symlink(Path()));
  EXPECT_EQ(Content(), "new");
}

TEST_F(AtomicFileTest, NamesThePathAndTheReason) {
  const auto in_missing_folder = AtomicFile::Create(folder_ + "/none/target");
  ASSERT_FALSE(in_missing_folder.ok());
  EXPECT_EQ(in_missing_folder.status().kind(), ErrorKind::kRuntime);
  EXPECT_NE(in_missing_folder.status().message().find("none/target"), std::string::npos);
  EXPECT_NE(in_missing_folder.status().message().find("No such file"), std::string::npos);
  const auto on_folder = AtomicFile::Create(folder_);
  ASSERT_FALSE(on_folder.ok());
  EXPECT_NE(on_folder.status().message().find("not a regular file"), std::string::npos);
}

// A file size limit stands in for a full disk: write() fails in the same place.
TEST_F(AtomicFileTest, AFullDiskLeavesNothing) {
  std::ofstream(Path()) << "old";
  struct rlimit before {};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  struct rlimit small = before;
  small.rlim_cur = 1000;
  const auto handler = signal(SIGXFSZ, SIG_IGN);
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  auto file = AtomicFile::Create(Path());
  Status status;
  if (file.ok()) status = file->Write(std::string(2000, 'x'));
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &before), 0);
  signal(SIGXFSZ, handler);
  ASSERT_TRUE(file.ok());
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.kind(), ErrorKind::kRuntime);
  EXPECT_NE(status.message().find("target"), std::string::npos);
  EXPECT_FALSE(file->Commit().ok());
  EXPECT_EQ(Content(), "old");
  EXPECT_EQ(Files(), 1u);
}

TEST_F(AtomicFileTest, ASignalHandlerRemovesTemporaries) {
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    signal(SIGINT, [](int) {
      RemoveTemporaryFiles();
      _exit(7);
    });
    auto file = AtomicFile::Create(Path());
    if (!file.ok() || !file->Write("half").ok() || !fs::exists(file->temporary_path())) _exit(1);
    raise(SIGINT);
    _exit(2);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 7);
  EXPECT_EQ(Files(), 0u);
}

}  // namespace
}  // namespace tamis
