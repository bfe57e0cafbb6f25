#include "src/server/repository.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <thread>

#include "src/server/fake_session.h"

namespace tamis {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// A file's text decides what loading it gives: "broken" fails, any other text is the name of the fake's input.
class ChangingRepository : public ::testing::Test {
 protected:
  void SetUp() override {
    root_ = ::testing::TempDir() + "changing_XXXXXX";
    ASSERT_NE(mkdtemp(root_.data()), nullptr);
    Write("net/1", "one");
    auto opened = Repository::Open(root_, [this](const std::string& path) { return Load(path); });
    ASSERT_TRUE(opened.ok()) << opened.status().message();
    repository_ = std::move(*opened);
  }
  void TearDown() override { fs::remove_all(root_); }

  // As a careful writer does it: whole files appear at once.
  void Write(const std::string& version, const std::string& text) {
    const fs::path folder = fs::path(root_) / version;
    fs::create_directories(folder);
    std::ofstream(folder / ".new") << text;
    fs::rename(folder / ".new", folder / "model.tamis");
  }
  Result<std::shared_ptr<Session>> Load(const std::string& path) {
    ++loads_;
    std::string text;
    std::ifstream(path) >> text;
    if (text == "broken") return UserError("'{}' is damaged", path);
    return std::shared_ptr<Session>(
        std::make_shared<testing::FakeSession>(std::vector<TensorSpec>{{text, DType::kFloat32, {1}, {""}}}));
  }
  // The text of the version's file as it was loaded.
  std::string Serves(const std::string& version = "") {
    const ModelVersionPtr found = repository_->Find("net", version);
    return found == nullptr ? "unknown" : found->ready() ? found->session->inputs()[0].name : found->reason;
  }

  std::string root_;
  std::unique_ptr<Repository> repository_;
  int loads_ = 0;
};

TEST_F(ChangingRepository, ANewVersionTakesOver) {
  EXPECT_EQ(Serves(), "one");
  EXPECT_THAT(repository_->Refresh(), IsEmpty());
  Write("net/2", "two");
  EXPECT_THAT(repository_->Refresh(), ElementsAre("net version 2 is ready"));
  EXPECT_EQ(Serves(), "two");
  EXPECT_EQ(Serves("1"), "one");
  EXPECT_EQ(loads_, 2) << "what had not changed was not loaded again";
}

TEST_F(ChangingRepository, ANewVersionThatIsBrokenTakesNothingOver) {
  Write("net/2", "broken");
  EXPECT_THAT(repository_->Refresh(), ElementsAre("net version 2 is not ready: 'net/2/model.tamis' is damaged"));
  EXPECT_EQ(Serves(), "one");
  EXPECT_TRUE(repository_->Ready());
  EXPECT_THAT(repository_->Refresh(), IsEmpty()) << "it is said once";
  EXPECT_EQ(loads_, 2) << "and tried once";
  Write("net/2", "two");
  EXPECT_THAT(repository_->Refresh(), ElementsAre("net version 2 is ready"));
  EXPECT_EQ(Serves(), "two");
}

TEST_F(ChangingRepository, AReplacedFileTakesOverAndABrokenOneDoesNot) {
  const ModelVersionPtr held = repository_->Find("net", "1");
  Write("net/1", "again");
  EXPECT_THAT(repository_->Refresh(), ElementsAre("net version 1 is replaced"));
  EXPECT_EQ(Serves(), "again");
  EXPECT_EQ(held->session->inputs()[0].name, "one") << "a request at work keeps what it began with";
  Write("net/1", "broken");
  EXPECT_THAT(repository_->Refresh(), ElementsAre(HasSubstr("stays as it was loaded before: 'net/1/model.tamis'")));
  EXPECT_EQ(Serves(), "again");
  EXPECT_TRUE(repository_->Ready());
}

TEST_F(ChangingRepository, WhatIsGoneIsLetGoOf) {
  Write("net/2", "two");
  Write("other/1", "other");
  EXPECT_THAT(repository_->Refresh(), ElementsAre("net version 2 is ready", "other version 1 is ready"));
  fs::remove_all(root_ + "/net/2");
  fs::remove_all(root_ + "/other");
  EXPECT_THAT(repository_->Refresh(),
              ElementsAre("net version 2 is let go of: its file is gone", "other is let go of: its folder is gone"));
  EXPECT_EQ(Serves(), "one");
  EXPECT_EQ(repository_->Find("other", ""), nullptr);
}

TEST_F(ChangingRepository, ARepositoryThatIsGoneIsServedOn) {
  fs::rename(root_, root_ + ".away");
  EXPECT_THAT(repository_->Refresh(), ElementsAre(HasSubstr("cannot be read")));
  EXPECT_EQ(Serves(), "one");
  fs::rename(root_ + ".away", root_);
  EXPECT_THAT(repository_->Refresh(), IsEmpty());
}

TEST_F(ChangingRepository, UnloadedModelsStayUnloadedUntilLoaded) {
  Write("other/1", "other");
  repository_->Refresh();
  ASSERT_TRUE(repository_->Unload("net").ok());
  EXPECT_EQ(Serves(), "it was unloaded");
  EXPECT_TRUE(repository_->Ready()) << "it was wanted so";
  EXPECT_THAT(repository_->Refresh(), IsEmpty());
  EXPECT_EQ(Serves(), "it was unloaded");
  ASSERT_TRUE(repository_->Load("net").ok());
  EXPECT_EQ(Serves(), "one");
  ASSERT_TRUE(repository_->Unload("net").ok());
  ASSERT_TRUE(repository_->Unload("other").ok());
  EXPECT_FALSE(repository_->Ready()) << "nothing is served";
  EXPECT_FALSE(repository_->Unload("nobody").ok());
}

TEST_F(ChangingRepository, LoadTriesAgainAndSaysWhatIsWrong) {
  Write("net/2", "broken");
  for (int i = 0; i < 2; ++i) {
    const int before = loads_;
    const Status status = repository_->Load("net");
    EXPECT_EQ(status.message(), "failed to load 'net': net version 2 is not ready: 'net/2/model.tamis' is damaged");
    EXPECT_EQ(loads_, before + 1);
  }
  EXPECT_EQ(Serves(), "one");
}

TEST_F(ChangingRepository, RequestsMeetNoGapWhileVersionsRoll) {
  std::atomic<bool> done{false};
  std::atomic<int> gaps{0}, looks{0};
  std::thread requests([&] {
    while (!done) {
      const ModelVersionPtr found = repository_->Find("net", "");
      if (found == nullptr || !found->ready() || !repository_->Ready()) ++gaps;
      ++looks;
    }
  });
  for (int version = 2; version < 40; ++version) {
    Write("net/" + std::to_string(version), "v" + std::to_string(version));
    repository_->Refresh();
    fs::remove_all(root_ + "/net/" + std::to_string(version - 1));
    repository_->Refresh();
  }
  while (looks == 0) std::this_thread::yield();
  done = true;
  requests.join();
  EXPECT_EQ(gaps, 0) << "in " << looks << " looks";
  EXPECT_EQ(Serves(), "v39");
}

}  // namespace
}  // namespace tamis
