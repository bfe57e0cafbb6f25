#include "src/passes/hash_set.h"

#include <gtest/gtest.h>

#include <random>

namespace tamis {
namespace {

TEST(HashSet, HoldsWhatWasAdded) {
  std::mt19937_64 random(3);
  std::vector<uint64_t> in, out;
  for (int i = 0; i < 5000; ++i) {
    in.push_back(random());
    out.push_back(random());
  }
  in.push_back(0);
  HashSet grown, reserved;
  EXPECT_FALSE(grown.Contains(0));
  reserved.Reserve(in.size());
  for (uint64_t hash : in) {
    grown.Add(hash);
    grown.Add(hash);
    reserved.Add(hash);
  }
  for (const HashSet* set : {&grown, &reserved}) {
    for (uint64_t hash : in) EXPECT_TRUE(set->Contains(hash));
    for (uint64_t hash : out) EXPECT_FALSE(set->Contains(hash));
  }
}

}  // namespace
}  // namespace tamis
