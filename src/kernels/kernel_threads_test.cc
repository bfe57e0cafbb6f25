#include "src/kernels/kernel_threads.h"

#include <gtest/gtest.h>

#include "src/kernels/kernel.h"
#include "src/kernels/kernel_revision.h"

namespace tamis {
namespace {

TEST(KernelThreads, NamesAreSplitAndFound) {
  const std::string on_two = OnThreads("norm_sse2", 2);
  EXPECT_EQ(on_two, "norm_sse2@2");
  EXPECT_EQ(SplitThreads(on_two).kernel, "norm_sse2");
  EXPECT_EQ(SplitThreads(on_two).threads, 2);
  EXPECT_EQ(FindKernel(on_two), FindKernel("norm_sse2"));
  ASSERT_NE(FindKernel(on_two), nullptr);
  EXPECT_EQ(KernelRevision(on_two), KernelRevision("norm_sse2"));
  EXPECT_NE(KernelRevision(on_two), 0u);
}

TEST(KernelThreads, WhatAFileMayHoldInstead) {
  for (const char* name : {"", "norm_sse2", "norm_sse2@", "norm_sse2@0", "norm_sse2@-1", "norm_sse2@1x", "@",
                           "norm_sse2@99999999999999999999"}) {
    EXPECT_EQ(SplitThreads(name).kernel, name);
    EXPECT_EQ(SplitThreads(name).threads, 0) << name;
  }
  EXPECT_EQ(FindKernel("norm_sse2@0"), nullptr);
}

}  // namespace
}  // namespace tamis
